// The browser's own notifications: asked for on the page of a job, shown by whatever page of ours is
// open when it ends. No service of others is asked, and none is told.
import { toast } from "cvt/say";

const KEY = "cvt-tell-me";
const ENDED = new Set(["succeeded", "failed", "canceled"]);
const canTell = () => "Notification" in window && isSecureContext;
const texts = () => document.querySelector("[data-notices]").dataset;

const read = () => {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    return {};
  }
};
const write = (wanted) => localStorage.setItem(KEY, JSON.stringify(wanted));

/** Whether somebody wants to hear of any job here: then pages that nobody sees ask, too. */
export const isAnyWanted = () => canTell() && Object.keys(read()).length > 0;

function want(job, isWanted) {
  const wanted = read();
  if (isWanted) wanted[job] = location.pathname;
  else delete wanted[job];
  write(wanted);
}

/** Whether anything can be shown: by the worker, or, where there is none, by the page; that is tried. */
async function canShow(text) {
  if (await worker()) return true;
  try {
    new Notification(text).close();
    return true;
  } catch {
    return false;
  }
}

/** Where notifications do not work, the place of the button offers letters, if there are any. */
function offerLetters(place) {
  const letter = place.querySelector("[data-tell-me-letter]");
  place.hidden = !letter;
  if (!letter) return;
  letter.hidden = false;
  place.querySelector("button").hidden = true;
  place.querySelector("[data-tell-me-state]").textContent = place.dataset.textUnable;
}

/** Make the button of templates/training/_tell_me.html work; it may be drawn again at any time. */
export function bindTellMe(job) {
  let isAble = canTell();
  const show = (text) => {
    const place = document.querySelector("[data-tell-me]");
    if (!place) return;
    if (!isAble) return offerLetters(place);
    const isOn = job in read() && Notification.permission === "granted";
    place.hidden = false;
    place.querySelector("button").setAttribute("aria-pressed", String(isOn));
    place.querySelector("[data-tell-me-state]").textContent = text ?? (isOn ? place.dataset.textOn : "");
  };
  show();
  new MutationObserver(() => document.querySelector("[data-tell-me][hidden]") && show())
    .observe(document.getElementById("main"), { childList: true, subtree: true });
  document.addEventListener("click", async ({ target }) => {
    const place = target.closest("[data-tell-me] button")?.parentElement;
    if (!place) return;
    const isWanted = !(job in read()) || Notification.permission !== "granted";
    if (isWanted && (await Notification.requestPermission()) !== "granted") return show(place.dataset.textRefused);
    isAble = !isWanted || (await canShow(place.dataset.textOn));
    want(job, isWanted && isAble);
    show();
  });
}

/** Ask about the jobs that somebody wants to hear of, and tell of those that have ended. */
export async function lookForEnds() {
  if (!canTell()) return;
  const running = new Set([...document.querySelectorAll("#bell-list > a")].map(({ pathname }) => pathname));
  for (const [job, path] of Object.entries(read())) {
    if (running.has(path) && path !== location.pathname) continue;
    const response = await fetch(`/api/v1/${job}/`, { headers: { Accept: "application/json" } }).catch(() => null);
    if (response && [403, 404].includes(response.status)) want(job, false);
    if (!response?.ok) continue;
    const { status, name } = await response.json();
    // Of several pages that are open, the first takes it; the browser shows one of a tag.
    if (!ENDED.has(status) || !(job in read())) continue;
    want(job, false);
    await tell(job, path, status, name);
  }
}

/** By the service worker, as phones want it and as it outlives the page; else by the page itself. */
async function tell(job, path, status, name) {
  const title = texts()[status].replace("{name}", name);
  const options = { body: texts().text, tag: job, data: { path } };
  const registration = await worker();
  try {
    if (await registration?.showNotification(title, options).then(() => true, () => false)) return;
    const shown = new Notification(title, options);
    shown.onclick = () => {
      window.focus();
      location.assign(path);
    };
  } catch {
    toast(title, { href: path });
  }
}

/** Return the registration of our service worker once it is active; null where there can be none. */
async function worker() {
  try {
    const registration = await navigator.serviceWorker.register(texts().worker);
    const coming = registration.installing ?? registration.waiting;
    if (registration.active) return registration;
    await new Promise((resolve, reject) => {
      coming.addEventListener("statechange", () => {
        if (coming.state === "activated") resolve();
        if (coming.state === "redundant") reject();
      });
    });
    return registration;
  } catch {
    return null;
  }
}
