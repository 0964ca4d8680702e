// How quickly a training goes and what it takes of its machine, as its newest progress tells it.
import { count, decimal, percent } from "cvt/format";

const GB = 1024;
const few = (value) => decimal(value, value < 10 ? 1 : 0);
const SHOWN = {
  images: ({ images_per_second: value }) => value > 0 && { value: few(value) },
  gpu: ({ gpu_use: value }) => value != null && { value: percent(value) },
  "gpu-memory": ({ gpu_memory_used_mb: used, gpu_memory_total_mb: total }) =>
    used != null && total > 0 && { value: few(used / GB), total: count(Math.round(total / GB)) },
  temperature: ({ gpu_temperature: value }) => value != null && { value: count(Math.round(value)) },
  power: ({ gpu_power: value }) => value != null && { value: count(Math.round(value)) },
  cpu: ({ cpu_use: value, gpu_use: gpu }) => value != null && gpu == null && { value: percent(value) },
  memory: ({ memory_mb: value, gpu_use: gpu }) => value != null && gpu == null && { value: few(value / GB) },
};

/** Show a frame of type progress in the list of templates/training/_progress.html, if it is there. */
export function showReadings(frame) {
  for (const line of document.querySelectorAll("[data-run-readings] > [data-reading]")) {
    const values = SHOWN[line.dataset.reading](frame);
    line.hidden = !values;
    if (!values) continue;
    const text = Object.entries(values).reduce((said, [name, value]) => said.replace(`{${name}}`, value), line.dataset.text);
    if (line.textContent !== text) line.textContent = text;
  }
}
