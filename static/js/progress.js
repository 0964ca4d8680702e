// Keeps components/progress.html live: phase, percent, counts, time left.
import { count, decimal, duration, percent } from "cvt/format";

export class Progress {
  /**
   * @param {HTMLElement} root the element of components/progress.html
   * @param {Record<string, string>} phases names of the phases by code
   */
  constructor(root, phases) {
    this.root = root;
    this.phases = phases;
    this.bar = root.querySelector("progress");
  }

  /** Show a frame of type progress: {phase, done, total, percent, eta_seconds, rate?}. */
  show(frame) {
    this.write("phase", this.phases[frame.phase] ?? this.phases.working);
    this.write("percent", frame.total ? percent(frame.percent) : "");
    this.write("counts", frame.total ? `${count(frame.done)} / ${count(frame.total)}` : "");
    if (frame.total) this.bar.value = frame.percent;
    else this.bar.removeAttribute("value");
    const isMost = frame.eta_is_most ? "textMost" : "text";
    this.fill("eta", "{time}", frame.eta_seconds > 0 && duration(frame.eta_seconds), isMost);
    this.fill("rate", "{rate}", frame.rate > 0 && decimal(frame.rate, frame.rate < 10 ? 1 : 0));
  }

  /** Fill a sentence that may be absent. */
  fill(name, place, value, form = "text") {
    const texts = this.root.querySelector(`[data-progress-${name}]`)?.dataset;
    const text = texts?.[form] ?? texts?.text;
    if (text) this.write(name, value ? text.replace(place, value) : "");
  }

  write(name, text) {
    const place = this.root.querySelector(`[data-progress-${name}]`);
    if (place && place.textContent !== text) place.textContent = text;
  }
}
