// What was found: counts, boxes, threshold. All that was found from 5 % on is asked for once; from
// then on the slider and the classes filter in the browser.
import { BoxView, classCss } from "cvt/box-view";
import { count, percent } from "cvt/format";
import { followJob } from "cvt/job-stream";
import { Progress } from "cvt/progress";
import { say } from "cvt/say";

const SAY_MS = 500;
const FEW_NAMES = innerWidth < 768 ? 8 : 30;

const waiting = document.getElementById("waiting");
const viewer = document.querySelector("[data-viewer]");
if (waiting) follow(waiting);
if (viewer) open(viewer);

/** Until the pictures are done: progress, then the page again with the result. */
function follow(root) {
  const [slug, id] = root.dataset.job.split("/");
  const phases = JSON.parse(document.getElementById("phases").textContent);
  const progress = new Progress(root.querySelector("[data-progress]"), phases);
  followJob({
    slug,
    id,
    onFrame: (frame) => frame.type === "progress" && progress.show(frame),
    onState: (state) => state === "ended" && location.reload(),
  });
}

async function open(root) {
  try {
    const response = await fetch(root.dataset.url, { headers: { Accept: "application/json" } });
    if (!response.ok) throw new Error(response.statusText);
    new Viewer(root, await response.json());
  } catch {
    root.querySelector("[data-total]").textContent = "";
    const place = root.querySelector("[data-nothing]");
    place.textContent = root.dataset.textFailed;
    place.hidden = false;
  }
  root.removeAttribute("aria-busy");
}

class Viewer {
  constructor(root, detection) {
    this.root = root;
    this.texts = root.dataset;
    this.images = detection.images;
    this.classes = JSON.parse(document.getElementById("classes").textContent);
    this.hidden = new Set();
    this.view = new BoxView(root.querySelector("#picture"));
    this.slider = root.querySelector("#threshold");
    this.readAddress();
    this.drawClasses();
    this.drawStrip();
    this.bind();
    this.showPicture();
    this.find("hint").hidden = !this.rows.size;
  }

  find(name) {
    return this.root.querySelector(`[data-${name}]`);
  }

  get image() {
    return this.images[this.at];
  }

  /** Threshold and picture stand in the address: what is shared is what is seen. */
  readAddress() {
    const params = new URLSearchParams(location.search);
    const conf = Number(params.get("conf")) || Number(this.texts.conf);
    this.slider.value = Math.min(Math.max(Math.round(conf * 100), 5), 95);
    // A threshold between two steps of the slider counts as it was asked for, until it is moved.
    this.conf = Math.max(conf, 0.05);
    const at = Number(params.get("picture")) - 1;
    this.at = this.images[at] ? at : 0;
  }

  writeAddress() {
    const params = new URLSearchParams({ conf: this.conf });
    if (this.at) params.set("picture", this.at + 1);
    history.replaceState(null, "", `?${params}`);
  }

  bind() {
    this.slider.addEventListener("input", () => {
      this.conf = Number(this.slider.value) / 100;
      this.update();
    });
    this.slider.addEventListener("change", () => this.writeAddress());
    this.root.addEventListener("click", (event) => this.click(event));
    addEventListener("keydown", (event) => {
      if (event.target.closest("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step) this.go(this.at + step);
      if (event.key === "+") this.view.zoomTo(this.view.scale * 1.5);
      if (event.key === "-") this.view.zoomTo(this.view.scale / 1.5);
    });
  }

  click({ target }) {
    const step = target.closest("[data-step]");
    const zoom = target.closest("[data-zoom]");
    const names = target.closest("[data-names]");
    const picture = target.closest("[data-picture]");
    const toggle = target.closest("[data-class]");
    if (step) this.go(this.at + Number(step.dataset.step));
    if (zoom) this.view.zoomTo(this.view.scale * (zoom.dataset.zoom === "in" ? 1.5 : 1 / 1.5));
    if (names) {
      this.areNamesChosen = true;
      this.showNames(names.getAttribute("aria-pressed") !== "true");
    }
    if (picture) this.go(Number(picture.dataset.picture));
    if (toggle) this.toggleClass(Number(toggle.dataset.class));
  }

  go(at) {
    if (!this.images[at] || at === this.at) return;
    this.at = at;
    this.showPicture();
    this.writeAddress();
  }

  toggleClass(id) {
    if (!this.hidden.delete(id)) this.hidden.add(id);
    this.update();
  }

  showNames(isOn) {
    this.find("names").setAttribute("aria-pressed", String(isOn));
    this.view.showLabels(isOn);
  }

  isShown(object) {
    return object.confidence >= this.conf && !this.hidden.has(object.class_id);
  }

  /** How many of each class are on a picture from the threshold on; hidden classes count too. */
  counts(image) {
    const counts = new Map();
    for (const { class_id: id, confidence } of image.objects) {
      if (confidence >= this.conf) counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    return counts;
  }

  showPicture() {
    const { image } = this;
    const error = this.find("picture-error");
    error.hidden = !image.error;
    this.view.svg.toggleAttribute("hidden", Boolean(image.error));
    if (image.error) {
      error.querySelector("strong").textContent = image.error.message;
      error.querySelector("p").textContent = image.error.hint;
    } else {
      const boxes = image.objects.map((object) => ({
        ...object.box,
        classId: object.class_id,
        label: `${object.class_name} ${percent(object.confidence * 100)}`,
      }));
      this.view.show({ url: `${this.texts.base}images/${image.index}/`, width: image.width, height: image.height, alt: image.file_name, boxes });
      this.showNames(this.find("names").getAttribute("aria-pressed") === "true");
    }
    this.find("name").textContent = image.file_name;
    for (const button of this.root.querySelectorAll("[data-picture]")) {
      const isThis = Number(button.dataset.picture) === this.at;
      button.setAttribute("aria-current", String(isThis));
      if (isThis) this.reveal(button);
    }
    for (const button of this.root.querySelectorAll("[data-step]")) button.disabled = !this.images[this.at + Number(button.dataset.step)];
    this.update();
  }

  /** Scroll the strip, and only the strip, to a tile. */
  reveal(button) {
    const strip = this.find("strip");
    strip.scrollLeft = button.offsetLeft - strip.offsetLeft - (strip.clientWidth - button.clientWidth) / 2;
  }

  /** Draw all that depends on threshold and classes; asks the server for nothing. */
  update() {
    const { image } = this;
    this.find("threshold-value").textContent = percent(Math.round(this.conf * 100));
    if (!image.error) this.updateBoxes();
    this.updateCounts();
    this.updateStrip();
    this.updateDownloads();
  }

  updateBoxes() {
    const { objects } = this.image;
    this.view.filter((_, index) => this.isShown(objects[index]));
    if (this.areNamesChosen) return;
    // Names hide a full shelf: there they come when they are asked for.
    this.showNames(objects.filter((object) => this.isShown(object)).length <= FEW_NAMES);
  }

  updateCounts() {
    const each = this.images.map((image) => this.counts(image));
    const here = each[this.at];
    const total = (id) => each.reduce((sum, counts) => sum + (counts.get(id) ?? 0), 0);
    let [sumHere, sumAll] = [0, 0];
    for (const [id, { row, button, cells }] of this.rows) {
      const values = [here.get(id) ?? 0, total(id)];
      cells.forEach((cell, index) => {
        cell.textContent = count(values[index]);
      });
      sumHere += values[0];
      sumAll += values[1];
      const isOn = !this.hidden.has(id);
      button.setAttribute("aria-pressed", String(isOn));
      row.classList.toggle("is-off-row", !isOn || !values[0]);
    }
    this.find("counts-sum").hidden = !this.rows.size;
    this.root.querySelectorAll("[data-counts-sum] td").forEach((cell, index) => {
      cell.textContent = count([sumHere, sumAll][index]);
    });
    this.showTotal(sumAll);
    if (!this.image.error) {
      const text = this.texts.textPicture.replace("{name}", this.image.file_name).replace("{n}", count(sumHere));
      this.view.svg.setAttribute("aria-label", text);
    }
  }

  showTotal(total) {
    const text = total === 1 ? this.texts.textOne : this.texts.textObjects.replace("{n}", count(total));
    this.find("total").textContent = text;
    const nothing = this.find("nothing");
    nothing.hidden = total > 0 || this.images.every((image) => image.error);
    nothing.textContent = this.texts.textNone.replace("{threshold}", percent(Math.round(this.conf * 100)));
    clearTimeout(this.sayTimer);
    this.sayTimer = setTimeout(() => say(text), SAY_MS);
  }

  drawClasses() {
    const found = new Set(this.images.flatMap((image) => image.objects.map((object) => object.class_id)));
    const known = new Map(this.classes.map((row) => [row.index, row.name]));
    this.rows = new Map();
    for (const id of [...found].sort((a, b) => a - b)) {
      const row = document.createElement("tr");
      const head = document.createElement("th");
      head.scope = "row";
      const button = document.createElement("button");
      button.type = "button";
      button.className = "class-toggle";
      button.dataset.class = id;
      const swatch = document.createElement("span");
      swatch.className = `swatch ${classCss(id)}`;
      button.append(swatch, known.get(id) ?? String(id));
      head.append(button);
      const cells = (this.images.length > 1 ? [0, 1] : [0]).map(() => {
        const cell = document.createElement("td");
        cell.className = "number";
        return cell;
      });
      row.append(head, ...cells);
      this.rows.set(id, { row, button, cells });
    }
    this.find("counts").replaceChildren(...[...this.rows.values()].map(({ row }) => row));
  }

  drawStrip() {
    this.find("strip")?.replaceChildren(...this.images.map((image, index) => {
      const item = document.createElement("li");
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.picture = index;
      if (!image.error) {
        const thumbnail = document.createElement("img");
        thumbnail.alt = "";
        thumbnail.loading = "lazy";
        thumbnail.src = `${this.texts.base}images/${image.index}/thumbnail/`;
        button.append(thumbnail);
      }
      const badge = document.createElement("span");
      badge.className = "strip-count";
      button.append(badge);
      item.append(button);
      return item;
    }));
  }

  updateStrip() {
    for (const button of this.root.querySelectorAll("[data-picture]")) {
      const image = this.images[Number(button.dataset.picture)];
      const found = [...this.counts(image).values()].reduce((sum, n) => sum + n, 0);
      button.querySelector(".strip-count").textContent = image.error ? "!" : count(found);
      const text = this.texts.textPicture.replace("{name}", image.file_name).replace("{n}", count(found));
      button.setAttribute("aria-label", image.error ? `${image.file_name}: ${image.error.message}` : text);
    }
  }

  updateDownloads() {
    const { base } = this.texts;
    for (const link of this.root.querySelectorAll("[data-download]")) {
      const kind = link.dataset.download;
      const isAnnotated = kind === "annotated";
      link.hidden = isAnnotated && Boolean(this.image.error);
      link.href = isAnnotated
        ? `${base}images/${this.image.index}/annotated/?conf=${this.conf}`
        : `${base}export/?format=${kind}&conf=${this.conf}`;
      if (isAnnotated) link.download = `${this.image.file_name.replace(/\.\w+$/, "")}.jpg`;
    }
  }
}
