// The browser's own notifications: asked for on the page of a job, shown by whatever page of ours is
// open when it ends. No service of others is asked, and none is told.
const KEY = "cvt-tell-me";
const ENDED = new Set(["succeeded", "failed", "canceled"]);
const canTell = () => "Notification" in window && isSecureContext;

const read = () => {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    return {};
  }
};
const write = (wanted) => localStorage.setItem(KEY, JSON.stringify(wanted));

function want(job, isWanted) {
  const wanted = read();
  if (isWanted) wanted[job] = location.pathname;
  else delete wanted[job];
  write(wanted);
}

/** Make the button of templates/training/_tell_me.html work; it may be drawn again at any time. */
export function bindTellMe(job) {
  const show = (text) => {
    const place = document.querySelector("[data-tell-me]");
    if (!place) return;
    const isOn = job in read() && Notification.permission === "granted";
    place.hidden = false;
    place.querySelector("button").setAttribute("aria-pressed", String(isOn));
    place.querySelector("[data-tell-me-state]").textContent = text ?? (isOn ? place.dataset.textOn : "");
  };
  if (!canTell()) return;
  show();
  new MutationObserver(() => document.querySelector("[data-tell-me][hidden]") && show())
    .observe(document.getElementById("main"), { childList: true, subtree: true });
  document.addEventListener("click", async ({ target }) => {
    const place = target.closest("[data-tell-me] button")?.parentElement;
    if (!place) return;
    const isWanted = !(job in read()) || Notification.permission !== "granted";
    if (isWanted && (await Notification.requestPermission()) !== "granted") return show(place.dataset.textRefused);
    want(job, isWanted);
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
    tell(job, path, status, name);
  }
}

function tell(job, path, status, name) {
  const texts = document.querySelector("[data-notices]").dataset;
  try {
    const shown = new Notification(texts[status].replace("{name}", name), { body: texts.text, tag: job });
    shown.onclick = () => {
      window.focus();
      location.assign(path);
    };
  } catch {
    // Some browsers of phones show them only by a service worker: there the page itself tells.
  }
}
