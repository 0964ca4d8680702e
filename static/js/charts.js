// Curves over epochs: a thin coat around uPlot that follows theme, width and language.
import { language } from "cvt/format";
import uPlot from "uplot";

export const HEIGHT = innerWidth < 768 ? 180 : 220;
export const INTEGER_STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];
const tick = new Intl.NumberFormat(language, { maximumSignificantDigits: 3 });
const exact = new Intl.NumberFormat(language, { maximumSignificantDigits: 4 });
const sync = uPlot.sync("epochs");

/** A colour of training.css as the canvas takes it, in the theme of the moment. */
export function colour(name) {
  const probe = document.createElement("span");
  probe.className = `chart-color-${name}`;
  probe.hidden = true;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

export class EpochChart {
  /**
   * @param {HTMLElement} root where the chart is drawn
   * @param {{series: {label: string, pick: (row: object) => number|null, color?: number, isDashed?: boolean}[],
   *          range?: [number, number], xLabel: string}} options
   */
  constructor(root, { series, range, xLabel }) {
    this.root = root;
    this.series = series;
    this.range = range;
    this.xLabel = xLabel;
    this.rows = [];
    this.marks = [];
    new ResizeObserver(() => this.resize()).observe(root);
    addEventListener("theme-changed", () => this.build());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.build());
  }

  /** Show rows in the order of their epochs; `marks` are epochs after which a new attempt began. */
  show(rows, marks = []) {
    this.rows = rows;
    this.marks = marks;
    if (this.plot) this.plot.setData(this.data());
    else this.build();
  }

  data() {
    return [this.rows.map(({ epoch }) => epoch), ...this.series.map(({ pick }) => this.rows.map((row) => pick(row) ?? null))];
  }

  build() {
    if (!this.rows.length || !this.root.clientWidth) return;
    this.plot?.destroy();
    this.plot = new uPlot(this.options(), this.data(), this.root);
  }

  resize() {
    if (!this.plot) return this.build();
    if (this.root.clientWidth) this.plot.setSize({ width: this.root.clientWidth, height: HEIGHT });
  }

  options() {
    const axis = { stroke: colour("axis"), grid: { stroke: colour("grid"), width: 1 }, ticks: { show: false }, font: "12px system-ui" };
    return {
      width: this.root.clientWidth,
      height: HEIGHT,
      cursor: { sync: { key: sync.key }, drag: { x: false, y: false } },
      scales: { x: { time: false, range: (_, min, max) => (min === max ? [min - 1, max + 1] : [min, max]) }, y: { range: (_, min, max) => this.range ?? [0, max > 0 ? max * 1.05 : 1] } },
      axes: [
        { ...axis, incrs: INTEGER_STEPS, size: 32, values: (_, values) => values.map((value) => (Number.isInteger(value) && value > 0 ? tick.format(value) : "")) },
        { ...axis, size: 58, values: (_, values) => values.map((value) => tick.format(value)) },
      ],
      series: [
        { label: this.xLabel, value: (_, value) => (value == null ? "–" : exact.format(value)) },
        ...this.series.map(({ label, color = 0, isDashed }) => ({
          label,
          stroke: colour(color),
          width: 2,
          dash: isDashed ? [6, 4] : undefined,
          value: (_, value) => (value == null ? "–" : exact.format(value)),
        })),
      ],
      hooks: {
        draw: [(plot) => this.drawMarks(plot)],
        setCursor: [(plot) => plot.cursor.idx == null && this.showLatest(plot)],
        setData: [(plot) => plot.cursor.idx == null && this.showLatest(plot)],
        ready: [(plot) => this.showLatest(plot)],
      },
    };
  }

  /** Where nobody points, the legend tells the last epoch. */
  showLatest(plot) {
    plot.setLegend({ idx: this.rows.length - 1 }, false);
  }

  drawMarks(plot) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.strokeStyle = colour("axis");
    ctx.setLineDash([2, 4]);
    for (const epoch of this.marks) {
      const x = Math.round(plot.valToPos(epoch + 0.5, "x", true));
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.restore();
  }
}
