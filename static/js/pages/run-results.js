// The end of a run: validation pictures with what the model found against what is really there.
// What was found from 5 % on is asked for once; the slider and the filter work in the browser.
import { BoxView } from "cvt/box-view";
import { count, percent } from "cvt/format";

const A_PAGE = 24;
const FEW_NAMES = innerWidth < 768 ? 8 : 30;

/** At a threshold: what was found rightly, what wrongly, and what was missed. */
function judge({ truth, objects }, conf) {
  const said = objects.filter((object) => object.confidence >= conf);
  const found = new Set(said.map(({ match }) => match).filter((match) => match != null));
  const wrong = said.filter(({ match }) => match == null);
  return { said, found, wrong: wrong.length, missed: truth.length - found.size };
}

class ComparedPictures {
  constructor(root) {
    this.root = root;
    this.texts = root.dataset;
    this.view = new BoxView(root.querySelector("[data-view]"));
    this.slider = root.querySelector("#threshold");
    this.pictures = [];
    this.at = 0;
    this.bind();
    this.load();
  }

  find(name) {
    return this.root.querySelector(`[data-${name}]`);
  }

  async load() {
    try {
      const page = `start=${this.pictures.length}&limit=${A_PAGE}`;
      const response = await fetch(`${this.texts.url}?${page}`, { headers: { Accept: "application/json" } });
      if (!response.ok) throw new Error(response.statusText);
      this.take(await response.json());
    } catch {
      this.find("nothing").textContent = this.texts.textFailed;
    }
    this.root.removeAttribute("aria-busy");
  }

  take(answer) {
    const isFirst = !this.pictures.length;
    this.pictures.push(...answer.results);
    if (isFirst) {
      this.slider.value = Math.round(answer.confidence * 100);
      this.conf = answer.confidence;
      this.isStrict = new URLSearchParams(location.search).get("pictures") === "mistakes";
      if (answer.kept < answer.images) {
        this.find("kept").textContent = this.texts.textSome.replace("{images}", count(answer.images)).replace("{kept}", count(answer.kept));
      }
    }
    this.find("more").hidden = this.pictures.length >= answer.kept || !answer.results.length;
    this.find("strip").append(...answer.results.map((picture, index) => this.tile(picture, this.pictures.length - answer.results.length + index)));
    if (isFirst && this.pictures.length) this.go(0);
    this.update();
  }

  tile(picture, index) {
    const item = document.createElement("li");
    const button = document.createElement("button");
    const thumbnail = document.createElement("img");
    const badge = document.createElement("span");
    button.type = "button";
    button.dataset.picture = index;
    thumbnail.alt = "";
    thumbnail.loading = "lazy";
    thumbnail.src = picture.thumbnail_url;
    badge.className = "strip-count";
    button.append(thumbnail, badge);
    item.append(button);
    return item;
  }

  bind() {
    this.slider.addEventListener("input", () => {
      this.conf = Number(this.slider.value) / 100;
      this.update();
    });
    this.root.addEventListener("click", ({ target }) => {
      const step = target.closest("[data-step]");
      const zoom = target.closest("[data-zoom]");
      const picture = target.closest("[data-picture]");
      if (step) this.walk(Number(step.dataset.step));
      if (zoom) this.view.zoomTo(this.view.scale * (zoom.dataset.zoom === "in" ? 1.5 : 1 / 1.5));
      if (picture) this.go(Number(picture.dataset.picture));
      if (target.closest("[data-more]")) this.load();
      if (target.closest("[data-only-mistakes]")) this.setStrict(!this.isStrict);
    });
  }

  /** Whether only pictures with a mistake are shown stands in the address. */
  setStrict(isStrict) {
    this.isStrict = isStrict;
    const params = new URLSearchParams(location.search);
    if (isStrict) params.set("pictures", "mistakes");
    else params.delete("pictures");
    history.replaceState(null, "", params.size ? `?${params}` : location.pathname);
    this.update();
  }

  mistakes(index) {
    const { wrong, missed } = judge(this.pictures[index], this.conf);
    return wrong + missed;
  }

  isShown(index) {
    return !this.isStrict || this.mistakes(index) > 0;
  }

  /** To the next picture that is shown, forwards (1) or backwards (-1). */
  walk(step) {
    let to = this.at + step;
    while (this.pictures[to] && !this.isShown(to)) to += step;
    if (this.pictures[to]) this.go(to);
  }

  go(index) {
    this.at = index;
    this.draw();
    this.update();
    const button = this.root.querySelector(`[data-picture="${index}"]`);
    const strip = this.find("strip");
    strip.scrollLeft = button.offsetLeft - strip.offsetLeft - (strip.clientWidth - button.clientWidth) / 2;
  }

  draw() {
    const picture = this.pictures[this.at];
    const link = this.find("name");
    link.textContent = picture.file_name;
    link.href = `/images/${picture.image}/`;
    const { said, found } = judge(picture, this.conf);
    const truth = picture.truth.map((box, index) => {
      const isFound = found.has(index);
      const label = isFound ? "" : this.texts.textLabelMissed.replace("{name}", box.class_name);
      return { ...box, classId: box.class_id, label, css: `is-truth ${isFound ? "" : "is-mistake"}` };
    });
    const predicted = said.map(({ box, class_id: classId, class_name: name, confidence, match }) => {
      const text = `${name} ${percent(confidence * 100)}`;
      const label = match == null ? this.texts.textLabelFalse.replace("{name}", text) : text;
      return { ...box, classId, label, css: `is-said ${match == null ? "is-mistake" : ""}` };
    });
    const { scale, view } = this.view;
    const boxes = [...truth, ...predicted];
    this.view.show({ url: picture.url, width: picture.width, height: picture.height, alt: picture.file_name, boxes });
    if (scale > 1 && this.drawn === picture) this.view.look(view.x, view.y, view.width, view.height);
    this.drawn = picture;
    // On a full shelf only mistakes are named: names would hide the products.
    if (boxes.length > FEW_NAMES) this.view.nameOnly((box) => box.css.includes("is-mistake"));
  }

  update() {
    this.root.querySelector("[data-threshold-value]").textContent = percent(Math.round(this.conf * 100));
    this.find("only-mistakes").setAttribute("aria-pressed", String(this.isStrict));
    let shown = 0;
    for (const button of this.root.querySelectorAll("[data-picture]")) {
      const index = Number(button.dataset.picture);
      const mistakes = this.mistakes(index);
      button.parentElement.hidden = !this.isShown(index);
      shown += !button.parentElement.hidden;
      button.querySelector(".strip-count").textContent = mistakes ? count(mistakes) : "✓";
      button.setAttribute("aria-label", this.texts.textPicture.replace("{name}", this.pictures[index].file_name).replace("{n}", count(mistakes)));
      button.setAttribute("aria-current", String(index === this.at));
    }
    this.find("nothing").textContent = this.pictures.length && !shown ? this.texts.textNone : "";
    if (!this.pictures.length) return;
    if (!this.isShown(this.at)) this.walk(1);
    this.draw();
    this.find("verdict").textContent = this.verdict(this.pictures[this.at]);
  }

  verdict(picture) {
    const { found, wrong, missed } = judge(picture, this.conf);
    if (!wrong && !missed) return picture.truth.length ? this.texts.textRight : this.texts.textEmpty;
    const parts = { textMissed: missed, textFalse: wrong, textFound: found.size };
    return Object.entries(parts).filter(([, n]) => n).map(([name, n]) => this.texts[name].replace("{n}", count(n))).join(" · ");
  }
}

function open(root) {
  const place = root.querySelector("[data-compared]");
  if (place && !place.dataset.opened) {
    place.dataset.opened = "1";
    new ComparedPictures(place);
  }
}

// The part comes when the page asks for it, and again when the run ends while it is open.
addEventListener("htmx:load", () => open(document));
open(document);
