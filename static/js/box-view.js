// One picture with boxes and class names, large, with zoom. All in SVG user units of the picture:
// zooming changes the viewBox and nothing else, so no inline styles are needed.

const SVG = "http://www.w3.org/2000/svg";
const CLASS_COLOURS = 10;
const LABEL_PIXELS = 13;
const CLOSEST = 12;

export const classCss = (index) => `class-${index % CLASS_COLOURS}`;

const set = (node, attributes) => {
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
};
const element = (name, attributes = {}, ...children) => {
  const made = document.createElementNS(SVG, name);
  set(made, attributes);
  made.append(...children);
  return made;
};

export class BoxView {
  /**
   * @param {SVGSVGElement} svg an <svg class="box-view"> that may hold an <image> already
   */
  constructor(svg) {
    this.svg = svg;
    this.layer = element("g");
    this.items = [];
    this.bindZoom();
    new ResizeObserver(() => this.scaleLabels()).observe(svg);
  }

  /**
   * Show a picture with its boxes.
   * @param {{url: string, width: number, height: number, alt?: string,
   *          boxes: {classId: number, label: string, css?: string, x1: number, y1: number, x2: number, y2: number}[]}} picture
   *   `css`: classes that say how a box is drawn; a box without a label has no name
   */
  show({ url, width, height, alt = "", boxes }) {
    this.width = width;
    this.height = height;
    this.svg.setAttribute("aria-label", alt);
    const image = element("image", { href: url, width, height });
    this.layer = element("g");
    this.items = boxes.map((box) => this.draw(box));
    this.layer.append(...this.items.map((item) => item.group));
    this.svg.replaceChildren(image, this.layer);
    this.zoomTo(1);
  }

  draw(box) {
    const { x1, y1, x2, y2, classId, label, css = "" } = box;
    const frame = { x: x1, y: y1, width: Math.max(x2 - x1, 0), height: Math.max(y2 - y1, 0) };
    const text = element("text", { class: "box-label" }, label);
    const tag = element("rect", { class: "box-tag" });
    const group = element(
      "g", { class: `boxes ${classCss(classId)} ${css}` },
      element("rect", { ...frame, class: "halo" }), element("rect", frame), tag, text,
    );
    tag.toggleAttribute("hidden", !label);
    return { box, group, text, tag };
  }

  /** Show only the boxes for which `keep(box, index)` holds. */
  filter(keep) {
    this.items.forEach(({ box, group }, index) => group.toggleAttribute("hidden", !keep(box, index)));
  }

  /** Bring out one box, or none (-1). */
  highlight(index) {
    this.items.forEach(({ group }, i) => {
      group.classList.toggle("is-hot", i === index);
      group.classList.toggle("is-dim", index >= 0 && i !== index);
    });
  }

  /** Names on or off: on a full shelf they hide the products. */
  showLabels(isShown) {
    this.nameOnly(() => isShown);
  }

  /** Name only the boxes for which `keep(box, index)` holds. */
  nameOnly(keep) {
    this.items.forEach(({ box, text, tag }, index) => {
      const isNamed = Boolean(box.label) && keep(box, index);
      text.toggleAttribute("hidden", !isNamed);
      tag.toggleAttribute("hidden", !isNamed);
    });
  }

  /** Magnify about a point of the picture (its middle by default); 1 is the whole picture. */
  zoomTo(scale, x = this.middle().x, y = this.middle().y) {
    const before = this.view ?? { x: 0, y: 0, width: this.width, height: this.height };
    this.scale = Math.min(Math.max(scale, 1), CLOSEST);
    const width = this.width / this.scale;
    const height = this.height / this.scale;
    const left = x - ((x - before.x) / before.width) * width;
    const top = y - ((y - before.y) / before.height) * height;
    this.look(left, top, width, height);
  }

  look(left, top, width, height) {
    const x = Math.min(Math.max(left, 0), this.width - width);
    const y = Math.min(Math.max(top, 0), this.height - height);
    this.view = { x, y, width, height };
    this.svg.setAttribute("viewBox", `${x} ${y} ${width} ${height}`);
    this.svg.classList.toggle("is-zoomed", this.scale > 1);
    this.scaleLabels();
  }

  middle() {
    const view = this.view ?? { x: 0, y: 0, width: this.width, height: this.height };
    return { x: view.x + view.width / 2, y: view.y + view.height / 2 };
  }

  /** Picture pixels for one screen pixel. */
  unit() {
    const matrix = this.svg.getScreenCTM();
    return matrix ? 1 / matrix.a : 1;
  }

  /** Keep names readable at any zoom: all sizes are set before any is measured. */
  scaleLabels() {
    const size = this.unit() * LABEL_PIXELS;
    const height = size * 1.35;
    for (const { text } of this.items) text.setAttribute("font-size", size);
    const widths = this.items.map(({ text }) => text.getComputedTextLength() + size * 0.6);
    this.items.forEach(({ box, text, tag }, index) => {
      const top = box.y1 >= height ? box.y1 - height : box.y1;
      set(text, { x: box.x1 + size * 0.3, y: top + size });
      set(tag, { x: box.x1, y: top, width: widths[index], height });
    });
  }

  bindZoom() {
    const at = (event) => {
      const point = new DOMPoint(event.clientX, event.clientY);
      return point.matrixTransform(this.svg.getScreenCTM().inverse());
    };
    this.svg.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && this.scale === 1) return; // the page scrolls as usual
      event.preventDefault();
      const { x, y } = at(event);
      this.zoomTo(this.scale * (event.deltaY < 0 ? 1.2 : 1 / 1.2), x, y);
    }, { passive: false });
    this.svg.addEventListener("dblclick", (event) => {
      const { x, y } = at(event);
      this.zoomTo(this.scale > 1 ? 1 : 3, x, y);
    });
    this.bindPointers(at);
  }

  bindPointers(at) {
    const fingers = new Map();
    let spread = 0;
    const distance = () => {
      const [a, b] = [...fingers.values()];
      return Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
    };
    this.svg.addEventListener("pointerdown", (event) => {
      fingers.set(event.pointerId, event);
      if (this.scale > 1) this.svg.setPointerCapture(event.pointerId);
      if (fingers.size === 2) spread = distance();
    });
    this.svg.addEventListener("pointermove", (event) => {
      const before = fingers.get(event.pointerId);
      if (!before) return;
      fingers.set(event.pointerId, event);
      if (fingers.size === 2) {
        const { x, y } = at(event);
        this.zoomTo((this.scale * distance()) / spread, x, y);
        spread = distance();
      } else if (this.scale > 1) {
        const unit = this.unit();
        const { x, y, width, height } = this.view;
        this.look(x - (event.clientX - before.clientX) * unit, y - (event.clientY - before.clientY) * unit, width, height);
      }
    });
    for (const name of ["pointerup", "pointercancel", "pointerleave"]) {
      this.svg.addEventListener(name, (event) => fingers.delete(event.pointerId));
    }
  }
}
