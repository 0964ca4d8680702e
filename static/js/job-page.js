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
 * What had happened before the page was made stands in it already, and the log loads its last lines:
 * the frames that follow are those behind data-last-seq. An ended job is not followed.
 *
 * @param {HTMLElement} root
 * @param {{onFrame?: (frame: object) => void}} options `onFrame` sees every new frame.
 */
export function followPage(root, { onFrame = () => {} } = {}) {
  const [slug, id] = root.dataset.job.split("/");
  const phases = JSON.parse(document.getElementById("phases").textContent);
  const known = Number(root.dataset.lastSeq);
  const log = new LogView(document.querySelector("[data-log]"), {
    url: `/api/v1/${slug}/${id}/logs/`,
    before: known + 1,
  });
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
  if (ENDED.has(status)) return;
  followJob({
    slug,
    id,
    after: known,
    onFrame: (frame) => {
      if (frame.type === "log") log.add(frame);
      heardAt = Date.now();
      if (silence()) silence().hidden = true;
      if (frame.type === "progress" && progress) {
        progress.show(frame);
        if (phase && frame.phase !== phase) say(phases[frame.phase] ?? "");
        phase = frame.phase;
      }
      if (frame.type === "status") {
        // Laid aside or not: that is told without another status.
        if (frame.status !== status || "is_paused" in frame) redraw();
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
