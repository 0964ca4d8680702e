// A log that follows its end, can be paused, and never grows the page without bound. What is older
// than it shows is loaded where somebody asks for it.
import { clock, count } from "cvt/format";

const MOST_LINES = 2000;

export class LogView {
  /**
   * @param {HTMLElement} root the element of components/log.html
   * @param {{url: string, before: number}} story where older lines are asked for, and the number of
   *   the first frame that comes by `add`
   */
  constructor(root, { url, before }) {
    this.url = url;
    this.before = before;
    this.older = root.querySelector("[data-log-older]");
    this.hasOlder = this.isLoaded = false;
    this.oldest = before;
    this.lines = root.querySelector("[data-log-lines]");
    this.button = root.querySelector("[data-log-pause]");
    this.counter = root.querySelector("[data-log-count]");
    this.state = root.querySelector("[data-log-state]");
    this.total = 0;
    this.waiting = [];
    this.isPaused = false;
    this.isDrawing = false;
    this.button.addEventListener("click", () => this.pause(!this.isPaused));
    // Scrolling up to read pauses; scrolling back to the end follows again.
    this.lines.addEventListener("wheel", (event) => event.deltaY < 0 && this.pause(true), { passive: true });
    this.lines.addEventListener("touchmove", () => this.pause(!this.isAtEnd()), { passive: true });
    this.lines.addEventListener("keydown", (event) => {
      if (["ArrowUp", "PageUp", "Home"].includes(event.key)) this.pause(true);
    });
    this.older.querySelector("button").addEventListener("click", () => this.readOlder());
    // Nothing is loaded for a log that nobody opens.
    const open = () => {
      if (root.open && !this.isLoaded) this.load();
      this.scroll();
    };
    root.addEventListener("toggle", open);
    open();
  }

  /** Add a frame of type log: {at, level, text}. */
  add(frame) {
    this.total += 1;
    this.waiting.push(frame);
    if (this.isDrawing) return;
    this.isDrawing = true;
    requestAnimationFrame(() => this.draw());
  }

  /** Show the lines before the first one; false where they did not come. */
  async load() {
    const button = this.older.querySelector("button");
    const said = this.older.querySelector("[role=status]");
    const first = this.first();
    this.isLoaded = true;
    button.disabled = true;
    said.textContent = "";
    const page = await linesBefore(this.url, first);
    button.disabled = false;
    // Where lines were dropped from the top meanwhile, these would leave a gap before what is left.
    const isNext = first === this.before || first === this.first();
    this.setOlder(!page || !isNext || page.previous != null);
    if (page && isNext) this.prepend(page.lines);
    else if (!page) said.textContent = this.older.dataset.textFailed;
    return Boolean(page) && isNext;
  }

  /** What somebody asked for stays in sight: the log pauses, and its new lines are scrolled to. */
  async readOlder() {
    if (!this.button.hidden) this.pause(true);
    const [above, was] = [this.lines.scrollHeight, this.lines.scrollTop];
    if (!(await this.load())) return;
    this.lines.scrollTop = was + this.lines.scrollHeight - above - this.lines.clientHeight / 2;
  }

  prepend(frames) {
    // Some may have been here before, and were dropped since.
    this.total += frames.filter(({ seq }) => seq < this.oldest).length;
    this.oldest = Math.min(this.oldest, frames[0]?.seq ?? this.oldest);
    this.lines.prepend(...frames.map(line));
    this.showTotal();
    this.scroll();
  }

  setOlder(hasOlder) {
    this.hasOlder = hasOlder;
    this.older.hidden = !hasOlder;
  }

  /** The number of the first line that is shown; before any is, of the first frame to come. */
  first() {
    return Number(this.lines.firstElementChild?.dataset.seq ?? this.before);
  }

  showTotal() {
    this.counter.textContent = this.total ? `${count(this.total)}${this.hasOlder ? "+" : ""}` : "";
  }

  /** Once nothing more comes, there is nothing to pause. */
  setLive(isLive) {
    if (!isLive) this.pause(false);
    this.button.hidden = !isLive;
  }

  pause(isPaused) {
    if (isPaused === this.isPaused) return;
    this.isPaused = isPaused;
    this.button.setAttribute("aria-pressed", String(isPaused));
    this.button.textContent = isPaused ? this.button.dataset.textFollow : this.button.dataset.textPause;
    if (!isPaused) this.draw();
  }

  draw() {
    this.isDrawing = false;
    this.showTotal();
    if (this.isPaused) {
      this.waiting = this.waiting.slice(-MOST_LINES);
      return;
    }
    this.lines.append(...this.waiting.slice(-MOST_LINES).map(line));
    this.waiting = [];
    if (this.lines.childElementCount > MOST_LINES) this.setOlder(true);
    while (this.lines.childElementCount > MOST_LINES) this.lines.firstElementChild.remove();
    this.scroll();
  }

  scroll() {
    if (!this.isPaused) this.lines.scrollTop = this.lines.scrollHeight;
  }

  isAtEnd() {
    return this.lines.scrollHeight - this.lines.scrollTop - this.lines.clientHeight < 24;
  }
}

async function linesBefore(url, seq) {
  const answer = { headers: { Accept: "application/json" } };
  const response = await fetch(`${url}?before=${seq}`, answer).catch(() => null);
  return response?.ok ? response.json() : null;
}

function line({ seq, at, level, text }) {
  const row = document.createElement("div");
  row.dataset.seq = seq;
  if (level === "warning" || level === "error") row.className = `is-${level}`;
  if (at) {
    const time = document.createElement("time");
    time.textContent = clock(at);
    row.append(time);
  }
  row.append(text);
  return row;
}
