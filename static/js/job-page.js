// A page that follows one job: progress and log stay live, and what the server draws (#job and the
// steps) is drawn again when the status changes. Markup: see templates/datasets/import_detail.html.
import { lookAtBell } from "cvt/bell";
import { ENDED, followJob } from "cvt/job-stream";
import { LogView } from "cvt/log-view";
import { nowAndThen, soon } from "cvt/now-and-then";
import { Progress } from "cvt/progress";
import { say } from "cvt/say";

const HELD = new Set(["running", "stopping"]);
// More than a lease: whoever works on a job is heard more often than that.
const SILENT_MS = 75_000;
const LOOK_SECONDS = [30, 40];

/**
 * Follow the job of an element with data-job="slug/id" and data-status.
 *
 * What had happened before the page was made stands in it already, and the log loads its last lines:
 * the frames that follow are those behind data-last-seq. An ended job is followed once it goes on.
 *
 * @param {HTMLElement} root
 * @param {{onFrame?: (frame: object) => void, atEnd?: string[]}} options `onFrame` sees every new
 *   frame; `atEnd`: further parts of the page that are drawn again when the job has ended.
 */
export function followPage(root, { onFrame = () => {}, atEnd = [] } = {}) {
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
  // One page for all parts, at a moment of its own: a thousand others hear of it at the same time.
  const redraw = soon(async () => {
    const isOver = ENDED.has(status);
    const isDone = await redrawParts(["#job", "#steps", ...(isOver ? atEnd : [])]);
    if (!isDone) return false;
    bind();
    say(document.querySelector("#job [data-status]")?.textContent ?? "");
    if (isOver) lookAtBell();
    return true;
  });

  const setStatus = (to) => {
    status = to;
    log.setLive(!ENDED.has(to));
  };

  /** Where nothing comes any more, have the server say whether the worker is silent. */
  const lookForSilence = async () => {
    if (!HELD.has(status) || Date.now() - heardAt < SILENT_MS) return;
    const was = silence()?.hidden;
    await redrawParts(["#job [data-silence]"]);
    if (was && !silence()?.hidden) say(silence().textContent);
  };
  const take = (frame) => {
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
  };

  const showState = (state) => {
    const texts = document.querySelector("[data-stream-texts]")?.dataset ?? {};
    log.state.textContent = ["polling", "waiting", "refused"].includes(state) ? texts[state] : "";
  };

  let stream = null;
  const follow = () => {
    stream?.close();
    stream = followJob({ slug, id, after: stream?.last() ?? known, onFrame: take, onState: showState });
  };

  bind();
  setStatus(status);
  nowAndThen(lookForSilence, { seconds: LOOK_SECONDS });
  if (!ENDED.has(status)) follow();
  // Somebody else lets it go on: the bell says so, and the story has what was missed.
  addEventListener("htmx:afterSettle", ({ target }) => {
    const isInBell = target.id === "activity" && document.getElementById(`bell-${slug}-${id}`);
    if (isInBell && ENDED.has(status)) follow();
  });
}

function silence() {
  return document.querySelector("#job [data-silence]");
}

/**
 * Ask the server for this page again and put the named parts of the answer in place.
 *
 * @returns {Promise<boolean>} false where it could not answer, and may later
 */
export async function redrawParts(selectors, { url = location.href } = {}) {
  const response = await fetch(url, { headers: { Accept: "text/html" } }).catch(() => null);
  if (!response?.ok) return response?.status < 500;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const selector of selectors) {
    const [old, part] = [document.querySelector(selector), fresh.querySelector(selector)];
    if (!old || !part || old.isEqualNode(part)) continue;
    old.replaceWith(part);
    globalThis.htmx?.process(part);
  }
  return true;
}
