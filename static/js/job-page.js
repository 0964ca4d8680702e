// A page that follows one job: progress and log stay live, and what the server draws (#job and the
// steps) is drawn again when the status changes. Markup: see templates/datasets/import_detail.html.
import { ENDED, followJob } from "cvt/job-stream";
import { LogView } from "cvt/log-view";
import { Progress } from "cvt/progress";
import { say } from "cvt/say";

const HELD = new Set(["running", "stopping"]);
// More than a lease: whoever works on a job is heard more often than that.
const SILENT_MS = 75_000;
const LOOK_MS = 30_000;

/**
 * Follow the job of an element with data-job="slug/id" and data-status.
 *
 * @param {HTMLElement} root
 * @param {{onFrame?: (frame: object) => void}} options `onFrame` sees every frame, from the first.
 */
export function followPage(root, { onFrame = () => {} } = {}) {
  const [slug, id] = root.dataset.job.split("/");
  const phases = JSON.parse(document.getElementById("phases").textContent);
  const log = new LogView(document.querySelector("[data-log]"));
  let status = root.dataset.status;
  let progress = null;
  let phase = "";
  let heardAt = Date.now();

  const bind = () => {
    const place = document.querySelector("[data-progress]");
    progress = place && new Progress(place, phases);
  };
  const redraw = async () => {
    await redrawParts(["#job", "#steps"]);
    bind();
    say(document.querySelector("#job [data-status]")?.textContent ?? "");
  };

  const setStatus = (to) => {
    status = to;
    log.setLive(!ENDED.has(to));
  };

  /** Where nothing comes any more, have the server say whether the worker is silent. */
  const lookForSilence = async () => {
    if (ENDED.has(status)) return clearInterval(watch);
    if (!HELD.has(status) || Date.now() - heardAt < SILENT_MS) return;
    const was = silence()?.hidden;
    await redrawParts(["#job [data-silence]"]);
    if (was && !silence()?.hidden) say(silence().textContent);
  };
  const watch = setInterval(lookForSilence, LOOK_MS);

  bind();
  setStatus(status);
  return followJob({
    slug,
    id,
    upTo: Number(root.dataset.lastSeq),
    onFrame: (frame) => {
      if (frame.type === "log") log.add(frame);
      // The replay tells old progress and old statuses again: the page shows the latest already.
      const isNew = frame.seq > Number(root.dataset.lastSeq);
      if (isNew) {
        heardAt = Date.now();
        if (silence()) silence().hidden = true;
      }
      if (frame.type === "progress" && progress && isNew) {
        progress.show(frame);
        if (phase && frame.phase !== phase) say(phases[frame.phase] ?? "");
        phase = frame.phase;
      }
      if (frame.type === "status") {
        // Laid aside or not: that is told without another status.
        if (isNew && (frame.status !== status || "is_paused" in frame)) redraw();
        setStatus(frame.status);
      }
      onFrame(frame);
    },
    onState: (state) => {
      const texts = document.querySelector("[data-stream-texts]")?.dataset ?? {};
      log.state.textContent = ["polling", "waiting", "refused"].includes(state) ? texts[state] : "";
    },
  });
}

function silence() {
  return document.querySelector("#job [data-silence]");
}

/** Ask the server for this page again and put the named parts of the answer in place. */
export async function redrawParts(selectors) {
  const response = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
  if (!response?.ok) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const selector of selectors) {
    const [old, part] = [document.querySelector(selector), fresh.querySelector(selector)];
    if (!old || !part) continue;
    old.replaceWith(part);
    globalThis.htmx?.process(part);
  }
}
