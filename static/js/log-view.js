// A log that follows its end, can be paused, and never grows the page without bound.
import { clock, count } from "cvt/format";

const MOST_LINES = 2000;

export class LogView {
  /** @param {HTMLElement} root the element of components/log.html */
  constructor(root) {
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
    root.addEventListener("toggle", () => this.scroll());
  }

  /** Add a frame of type log: {at, level, text}. */
  add(frame) {
    this.total += 1;
    this.waiting.push(frame);
    if (this.isDrawing) return;
    this.isDrawing = true;
    requestAnimationFrame(() => this.draw());
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
    this.counter.textContent = this.total ? count(this.total) : "";
    if (this.isPaused) {
      this.waiting = this.waiting.slice(-MOST_LINES);
      return;
    }
    this.lines.append(...this.waiting.slice(-MOST_LINES).map(line));
    this.waiting = [];
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

function line({ at, level, text }) {
  const row = document.createElement("div");
  if (level === "warning" || level === "error") row.className = `is-${level}`;
  if (at) {
    const time = document.createElement("time");
    time.textContent = clock(at);
    row.append(time);
  }
  row.append(text);
  return row;
}
