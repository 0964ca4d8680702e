// Runs beside one another: a chart for each figure, over epochs or over training time; tables and
// curves follow runs that are still on.
import { HEIGHT, INTEGER_STEPS, colour } from "cvt/charts";
import { duration, language } from "cvt/format";
import uPlot from "uplot";

const AGAIN_MS = 4000;
//: How a line is drawn besides its colour; training.css draws the samples alike.
const DASHES = [[], [10, 5], [2, 4], [10, 4, 2, 4], [18, 6], [6, 3, 2, 3, 2, 3]];
const exact = new Intl.NumberFormat(language, { maximumSignificantDigits: 3 });
const holder = document.querySelector("[data-charts]");
const sync = uPlot.sync("runs");
const shown = (value) => (value == null ? "–" : exact.format(value));
const readCurves = (root) => JSON.parse(root.querySelector("#curves").textContent);
const names = [...document.querySelectorAll(".run-lines .break")].map((node) => node.textContent);

/** One figure of all runs: their own epochs or times on one common axis. */
class RunsChart {
  constructor(root) {
    this.root = root;
    this.name = root.dataset.chart;
    this.card = root.closest("[data-chart-card]");
    new ResizeObserver(() => this.resize()).observe(root);
    addEventListener("theme-changed", () => this.build());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.build());
  }

  show(curves, axis) {
    const isOther = axis !== this.axis;
    this.axis = axis;
    this.data = this.join(curves);
    this.card.hidden = this.data.slice(1).every((values) => values.every((value) => value == null));
    if (this.plot && !isOther) this.plot.setData(this.data);
    else this.build();
  }

  /** Every x that one of the runs has, and beside it what each run has there. */
  join(curves) {
    const columns = curves.map(({ epochs, seconds, metrics }) => {
      const values = metrics[this.name] ?? [];
      return new Map((this.axis === "time" ? seconds : epochs).map((x, i) => [x, values[i] ?? null]));
    });
    const places = [...new Set(columns.flatMap((column) => [...column.keys()]))].sort((a, b) => a - b);
    return [places, ...columns.map((column) => places.map((x) => column.get(x) ?? null))];
  }

  build() {
    if (!this.data?.[0].length || !this.root.clientWidth) return;
    this.plot?.destroy();
    this.plot = new uPlot(this.options(), this.data, this.root);
  }

  resize() {
    if (!this.plot) return this.build();
    if (this.root.clientWidth) this.plot.setSize({ width: this.root.clientWidth, height: HEIGHT });
  }

  options() {
    const isTime = this.axis === "time";
    const axis = { stroke: colour("axis"), grid: { stroke: colour("grid"), width: 1 }, ticks: { show: false }, font: "12px system-ui" };
    const isShare = /map50|precision|recall/.test(this.name);
    const ofX = (value) => (isTime ? duration(value) : exact.format(value));
    const xAxis = isTime
      ? { ...axis, size: 32, space: 90, values: (_, values) => values.map((value) => (value > 0 ? duration(value) : "0")) }
      : { ...axis, size: 32, incrs: INTEGER_STEPS, values: (_, values) => values.map((value) => (Number.isInteger(value) && value > 0 ? exact.format(value) : "")) };
    return {
      width: this.root.clientWidth,
      height: HEIGHT,
      cursor: { sync: { key: sync.key }, drag: { x: false, y: false } },
      scales: {
        x: { time: false, range: (_, min, max) => (min === max ? [min - 1, max + 1] : [isTime ? 0 : min, max]) },
        y: { range: (_, min, max) => (isShare ? [0, 1] : [0, max > 0 ? max * 1.05 : 1]) },
      },
      axes: [xAxis, { ...axis, size: 58, values: (_, values) => values.map((value) => exact.format(value)) }],
      series: [
        { label: isTime ? holder.dataset.textTime : holder.dataset.textEpoch, value: (_, value) => (value == null ? "–" : ofX(value)) },
        ...names.map((name, index) => ({
          label: `${index + 1} ${name}`,
          stroke: colour(index),
          width: 2,
          dash: DASHES[index],
          spanGaps: true,
          points: { show: false },
          value: (_, value) => shown(value),
        })),
      ],
      hooks: {
        draw: [(plot) => this.drawEnds(plot)],
        setCursor: [(plot) => plot.cursor.idx == null && this.showLatest(plot)],
        setData: [(plot) => plot.cursor.idx == null && this.showLatest(plot)],
        ready: [(plot) => this.showLatest(plot)],
      },
    };
  }

  /** Where nobody points, the legend tells the last value of each run. */
  showLatest(plot) {
    const last = this.data.map((values) => values.findLastIndex((value) => value != null));
    plot.setLegend({ idxs: last.map((place) => (place < 0 ? null : place)) }, false);
  }

  /** At its end, each line says its number. */
  drawEnds(plot) {
    const { ctx } = plot;
    const size = 15 * devicePixelRatio;
    ctx.save();
    ctx.font = `600 ${11 * devicePixelRatio}px system-ui`;
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    this.data.slice(1).forEach((values, index) => {
      const place = values.findLastIndex((value) => value != null);
      if (place < 0) return;
      const x = Math.min(plot.valToPos(this.data[0][place], "x", true), plot.bbox.left + plot.bbox.width - size / 2);
      const y = Math.max(plot.valToPos(values[place], "y", true), plot.bbox.top + size / 2);
      ctx.fillStyle = colour(index);
      ctx.beginPath();
      ctx.arc(x, y, size / 2, 0, 2 * Math.PI);
      ctx.fill();
      ctx.fillStyle = colour("paper");
      ctx.fillText(String(index + 1), x, y + devicePixelRatio / 2);
    });
    ctx.restore();
  }
}

const charts = [...document.querySelectorAll("[data-chart]")].map((root) => new RunsChart(root));
const switches = [...document.querySelectorAll("[data-x]")];
let axis = new URLSearchParams(location.search).get("x") === "time" ? "time" : "epoch";
let curves = readCurves(document);

function draw() {
  for (const button of switches) button.setAttribute("aria-pressed", String(button.dataset.x === axis));
  const isEmpty = curves.every(({ epochs }) => !epochs.length);
  holder.hidden = isEmpty;
  document.querySelector("[data-no-curves]").hidden = !isEmpty;
  for (const chart of charts) chart.show(curves, axis);
  holder.dataset.points = curves.map(({ epochs }) => epochs.length).join(" ");
  holder.dataset.axis = axis;
}

/** What is shown stands in the address. */
function chooseAxis(name) {
  axis = name;
  const params = new URLSearchParams(location.search);
  if (axis === "time") params.set("x", "time");
  else params.delete("x");
  history.replaceState(null, "", `?${params}`);
  draw();
}

for (const button of switches) button.addEventListener("click", () => chooseAxis(button.dataset.x));

/** Put what has changed in place, row by row: tables stay scrolled, folds open, focus where it is. */
function takeOver(old, fresh) {
  const rowsOf = (root) => [...root.querySelectorAll("table")].map((table) => [...table.querySelectorAll("[data-row]")]);
  const [now, next] = [rowsOf(old), rowsOf(fresh)];
  const shape = (tables) => tables.map((rows) => rows.map((row) => row.dataset.row).join()).join(";");
  if (old.dataset.state !== fresh.dataset.state || shape(now) !== shape(next)) {
    const isOpen = old.querySelector("#same-parameters")?.open;
    old.replaceWith(fresh);
    if (isOpen) fresh.querySelector("#same-parameters").open = true;
    return;
  }
  now.flat().forEach((row, index) => {
    const other = next.flat()[index];
    if (row.innerHTML !== other.innerHTML) row.replaceWith(other);
  });
}

async function follow() {
  if (!document.querySelector("#comparison[data-active]")) return;
  if (!document.hidden) {
    const response = await fetch(location.href, { headers: { "HX-Request": "true" } }).catch(() => null);
    if (response?.ok) {
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      curves = readCurves(page);
      for (const id of ["comparison", "differences"]) takeOver(document.getElementById(id), page.getElementById(id));
      draw();
    }
  }
  setTimeout(follow, AGAIN_MS);
}

draw();
setTimeout(follow, AGAIN_MS);
