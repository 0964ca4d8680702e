// Follows a training run: progress, curves, best figures and log grow without a reload.
import { EpochChart } from "cvt/charts";
import { count, decimal, language } from "cvt/format";
import { followPage, redrawParts } from "cvt/job-page";
import { ENDED } from "cvt/job-stream";
import { LivePictures } from "cvt/live-pictures";
import { bindTellMe, lookForEnds } from "cvt/notices";
import { nowAndThen, soon } from "cvt/now-and-then";
import { showReadings } from "cvt/run-readings";

const QUEUE_SECONDS = [12, 18];
const job = document.getElementById("job");
const [slug, id] = job.dataset.job.split("/");
const epochs = job.dataset.epochs;
const rows = new Map();
const precise = new Intl.NumberFormat(language, { maximumSignificantDigits: 3 });
const find = (selector) => document.querySelector(selector);

const holder = find("[data-charts]");
const texts = holder.dataset;
const charts = makeCharts();
let isDrawing = false;

function makeCharts() {
  const loss = (name, part, color) => ({
    label: (part === "train" ? texts.textTrain : texts.textVal).replace("{name}", texts[`text${name[0].toUpperCase()}${name.slice(1)}`]),
    pick: (row) => row[part]?.[`${name}_loss`],
    color,
    isDashed: part === "val",
  });
  const series = {
    quality: [
      { label: "mAP50", pick: ({ val }) => val.map50, color: 0 },
      { label: "mAP50-95", pick: ({ val }) => val.map50_95, color: 1 },
    ],
    balance: [
      { label: texts.textPrecision, pick: ({ val }) => val.precision, color: 0 },
      { label: texts.textRecall, pick: ({ val }) => val.recall, color: 1 },
    ],
    losses: ["box", "cls", "dfl"].flatMap((name, i) => [loss(name, "train", i), loss(name, "val", i)]),
    rate: [{ label: texts.textLr, pick: ({ lr }) => lr, color: 2 }],
    speed: [{ label: texts.textSpeed, pick: (row) => row.images_per_second, color: 0 }],
    gpu: [
      { label: texts.textUse, pick: (row) => row.gpu_use, color: 0 },
      { label: texts.textMemory, pick: gpuMemory, color: 1 },
    ],
    processor: [{ label: texts.textUse, pick: (row) => row.cpu_use, color: 0 }],
  };
  const ranges = { quality: [0, 1], balance: [0, 1], gpu: [0, 100], processor: [0, 100] };
  return [...document.querySelectorAll("[data-chart]")].map((root) => {
    const name = root.dataset.chart;
    return new EpochChart(root, { series: series[name], range: ranges[name], xLabel: texts.textEpoch });
  });
}

function gpuMemory({ gpu_memory_used_mb: used, gpu_memory_total_mb: total }) {
  return used != null && total > 0 ? (100 * used) / total : null;
}

/** What is not measured everywhere has no empty chart: a GPU's use, a processor's where there is none. */
function showCharts(sorted) {
  const hasGpu = sorted.some((row) => row.gpu_use != null);
  const isThere = {
    speed: sorted.some((row) => row.images_per_second != null),
    gpu: hasGpu,
    processor: !hasGpu && sorted.some((row) => row.cpu_use != null),
  };
  for (const [name, isShown] of Object.entries(isThere)) {
    find(`[data-chart-card="${name}"]`).hidden = !isShown;
  }
}

function add(row) {
  rows.set(row.epoch, row);
  if (isDrawing) return;
  isDrawing = true;
  requestAnimationFrame(draw);
}

function draw() {
  isDrawing = false;
  const sorted = [...rows.values()].sort((a, b) => a.epoch - b.epoch);
  if (!sorted.length) return;
  holder.hidden = find("[data-epoch-card]").hidden = false;
  find("[data-no-epochs]").hidden = true;
  const marks = [...document.querySelectorAll("[data-went-on-after]")].map((line) => Number(line.dataset.wentOnAfter));
  showCharts(sorted);
  for (const chart of charts) chart.show(sorted, marks);
  holder.dataset.points = sorted.length;
  drawTable(sorted);
}

function drawTable(sorted) {
  if (!find("[data-epoch-fold]").open) return;
  const number = (value) => (value == null ? "–" : precise.format(value));
  find("[data-epoch-rows]").replaceChildren(...sorted.toReversed().map(({ epoch, val, lr, seconds }) => {
    const line = document.createElement("tr");
    const cells = [count(epoch), ...[val.map50, val.map50_95, val.precision, val.recall, lr, seconds].map(number)];
    line.append(...cells.map((text, i) => {
      const cell = document.createElement("td");
      cell.textContent = text;
      if (i) cell.className = "number";
      return cell;
    }));
    return line;
  }));
}

function showEpoch({ phase, epoch, batch, batches }) {
  const [line, batchLine] = [find("[data-run-epoch]"), find("[data-run-batch]")];
  if (!line) return;
  line.textContent = epoch ? line.dataset.text.replace("{epoch}", count(epoch)).replace("{epochs}", count(Number(epochs))) : "";
  const { text, pictures } = batchLine.dataset;
  const form = phase === "prepare_pictures" ? pictures : epoch && text;
  batchLine.textContent = form && batches ? form.replace("{batch}", count(batch)).replace("{batches}", count(batches)) : "";
}

/** Show the figures of the best epoch so far, as the server has decided it. */
function showBest(best) {
  for (const place of document.querySelectorAll("#job [data-best]")) {
    const value = best[place.dataset.best];
    place.textContent = value == null ? "–" : decimal(value);
  }
  const line = find("[data-best-epoch]");
  line.textContent = line.dataset.text.replace("{epoch}", count(best.epoch));
}

/** Of a run that a worker of the release before does, no frame tells it. */
const askForBest = soon(async () => {
  const response = await fetch(`/api/v1/${slug}/${id}/`, { headers: { Accept: "application/json" } });
  if (!response.ok) return;
  const { best } = await response.json();
  if (best) showBest(best);
});

function addEpoch(frame) {
  add(frame);
  if (frame.best) showBest(frame.best);
  else if (frame.best === undefined) askForBest();
  if (frame.has_pictures) looks?.news();
}

/** A waiting run is told nothing, while its place in the queue changes. */
function lookAtQueue() {
  const place = find("[data-queue]");
  if (place) redrawParts(["[data-queue]"], { url: place.dataset.queue });
}

const looks = find("[data-looks]") && new LivePictures(find("[data-looks]"));
const latest = document.getElementById("progress");
if (latest) showReadings(JSON.parse(latest.textContent));
for (const row of JSON.parse(document.getElementById("metrics").textContent)) add(row);
bindTellMe(job.dataset.job);
find("[data-epoch-fold]").addEventListener("toggle", draw);
nowAndThen(lookAtQueue, { seconds: QUEUE_SECONDS });
followPage(job, {
  atEnd: ["#results"],
  onFrame: (frame) => {
    if (frame.type === "epoch") addEpoch(frame);
    if (frame.type === "progress") {
      showEpoch(frame);
      showReadings(frame);
    }
    if (frame.type === "status" && ENDED.has(frame.status)) lookForEnds();
  },
});
