// Keeps components/progress.html live: phase, percent, counts, time left.
import { count, duration, percent } from "cvt/format";

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

  /** Show a frame of type progress: {phase, done, total, percent, eta_seconds}. */
  show(frame) {
    this.write("phase", this.phases[frame.phase] ?? this.phases.working);
    this.write("percent", frame.total ? percent(frame.percent) : "");
    this.write("counts", frame.total ? `${count(frame.done)} / ${count(frame.total)}` : "");
    if (frame.total) this.bar.value = frame.percent;
    else this.bar.removeAttribute("value");
    this.showEta(frame.eta_seconds);
  }

  showEta(seconds) {
    const place = this.root.querySelector("[data-progress-eta]");
    if (place) place.textContent = seconds > 0 ? place.dataset.text.replace("{time}", duration(seconds)) : "";
  }

  write(name, text) {
    const place = this.root.querySelector(`[data-progress-${name}]`);
    if (place && place.textContent !== text) place.textContent = text;
  }
}
