// A few validation pictures with what the model of the newest and of the best epoch finds on them,
// beside what is really there. Asked for when there is news, while it can be seen.
import { BoxView, classCss } from "cvt/box-view";
import { count, percent } from "cvt/format";
import { soon } from "cvt/now-and-then";

const PAUSE_MS = 5000;
// All hear of an epoch at once, and do not ask at once.
const SPREAD_MS = 2000;
const MOST_NAMES = innerWidth < 768 ? 8 : 30;
const SVG = "http://www.w3.org/2000/svg";

export class LivePictures {
  /** @param {HTMLElement} root the section of templates/training/_live_pictures.html */
  constructor(root) {
    this.root = root;
    this.looks = [];
    this.kind = "last";
    this.at = 0;
    this.hasNews = true;
    this.isSeen = false;
    this.askedAt = 0;
    this.view = new BoxView(this.find("picture"));
    this.names = this.find("names");
    this.names.addEventListener("click", () => this.setNames(this.names.getAttribute("aria-pressed") !== "true"));
    this.find("kinds").addEventListener("click", ({ target }) => this.choose(target.closest("button")?.dataset.kind, this.at));
    this.find("tiles").addEventListener("click", ({ target }) => this.choose(this.kind, target.closest("button")?.dataset.at));
    this.askFirst = soon(() => this.ask());
    this.ask();
    new IntersectionObserver(([entry]) => {
      this.isSeen = entry.isIntersecting;
      this.askSoon();
    }).observe(root);
    addEventListener("visibilitychange", () => this.askSoon());
  }

  find(name) {
    return this.root.querySelector(`[data-look-${name}]`);
  }

  /** An epoch has brought new ones. */
  news() {
    this.hasNews = true;
    if (this.root.hidden) this.askFirst();
    else this.askSoon();
  }

  /** Thousands may watch quick epochs: each asks a few times a minute, and only while it looks. */
  askSoon() {
    if (!this.hasNews || !this.isSeen || document.hidden || this.timer) return;
    this.timer = setTimeout(() => {
      this.timer = 0;
      this.ask();
    }, Math.max(0, this.askedAt + PAUSE_MS - Date.now()) + Math.random() * SPREAD_MS);
  }

  async ask() {
    if (!this.hasNews || this.isAsking) return;
    this.hasNews = false;
    this.isAsking = true;
    this.askedAt = Date.now();
    const response = await fetch(this.root.dataset.url, { headers: { Accept: "application/json" } }).catch(() => null);
    this.isAsking = false;
    if (response?.ok) this.show((await response.json()).results);
    this.askSoon();
  }

  show(looks) {
    this.looks = looks.filter(({ pictures }) => pictures.length);
    if (!this.looks.length) return;
    this.root.hidden = false;
    this.drawKinds();
    this.draw();
  }

  /** The look that was chosen; where the newest epoch is the best, there is but one. */
  get look() {
    return this.looks.find(({ kind }) => kind === this.kind) ?? this.looks[0];
  }

  choose(kind, at) {
    if (kind === undefined || at === undefined) return;
    this.kind = kind;
    this.at = Number(at);
    for (const button of this.find("kinds").children) button.setAttribute("aria-pressed", String(button.dataset.kind === kind));
    this.draw();
  }

  drawKinds() {
    this.find("kinds").replaceChildren(...this.looks.map(({ kind, epoch }) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "chip";
      button.dataset.kind = kind;
      button.textContent = this.root.dataset[kind === "last" ? "textLast" : "textBest"].replace("{epoch}", count(epoch));
      button.setAttribute("aria-pressed", String(this.look.kind === kind));
      return button;
    }));
  }

  draw() {
    const { pictures } = this.look;
    this.at = Math.min(this.at, pictures.length - 1);
    this.drawTiles(pictures);
    const { image, found } = pictures[this.at];
    const caption = this.said(this.root.dataset.textPicture, pictures[this.at]);
    this.view.show({ url: image.url, width: image.width, height: image.height, alt: caption, boxes: boxesOf(image, found) });
    this.find("caption").textContent = caption;
    this.setNames(found.length <= MOST_NAMES);
  }

  setNames(isOn) {
    this.names.setAttribute("aria-pressed", String(isOn));
    this.view.showLabels(isOn);
  }

  /** Tiles are kept where they are: what is focused or tapped does not move. */
  drawTiles(pictures) {
    const list = this.find("tiles");
    if (list.childElementCount !== pictures.length) {
      list.replaceChildren(...pictures.map((_, at) => tile(at)));
    }
    pictures.forEach((picture, at) => {
      const button = list.children[at].firstElementChild;
      button.setAttribute("aria-current", String(at === this.at));
      button.setAttribute("aria-label", this.said(this.root.dataset.textPicture, picture));
      button.title = this.said(this.root.dataset.textCounts, picture);
      drawSmall(button.firstElementChild, picture);
    });
  }

  said(text, { image, found }) {
    return text.replace("{name}", image.file_name).replace("{found}", count(found.length)).replace("{there}", count(image.boxes.length));
  }
}

/** What is there below, dashed and without names; what was found above it. */
function boxesOf(image, found) {
  const corners = ({ x1, y1, x2, y2 }) => ({ x1, y1, x2, y2 });
  return [
    ...image.boxes.map((box) => ({ ...corners(box), classId: box.class_id, label: "", css: "is-truth" })),
    ...found.map((box) => ({ ...corners(box), classId: box.class_id, label: `${box.class_name} ${percent(box.confidence * 100)}` })),
  ];
}

function tile(at) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.at = at;
  button.append(document.createElementNS(SVG, "svg"));
  item.append(button);
  return item;
}

function drawSmall(svg, { image, found }) {
  svg.setAttribute("viewBox", `0 0 ${image.width} ${image.height}`);
  const parts = [shape("image", { href: image.thumbnail_url, width: image.width, height: image.height })];
  for (const [boxes, css] of [[image.boxes, "is-truth"], [found, ""]]) {
    for (const { x1, y1, x2, y2, class_id: id } of boxes) {
      const group = shape("g", { class: `boxes ${classCss(id)} ${css}` });
      group.append(shape("rect", { x: x1, y: y1, width: Math.max(x2 - x1, 0), height: Math.max(y2 - y1, 0) }));
      parts.push(group);
    }
  }
  svg.replaceChildren(...parts);
}

function shape(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
