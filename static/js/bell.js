// The bell of templates/_activity.html: what runs, a notice for what has ended, and whatever the browser
// shall tell of. It asks twice a minute where somebody looks, or waits to be told of an end.
import { isAnyWanted, lookForEnds } from "cvt/notices";
import { nowAndThen } from "cvt/now-and-then";

const SECONDS = [20, 30];

/** Ask now. Once nobody is signed in any more there is no place to ask from. */
export function lookAtBell() {
  const place = document.getElementById("activity");
  if (place) globalThis.htmx?.trigger(place, "look");
}

/** Ask every so often, from now on. */
export function keepBell() {
  nowAndThen(lookAtBell, { seconds: SECONDS, isWanted: () => !document.hidden || isAnyWanted() });
  addEventListener("htmx:afterSettle", ({ target }) => target.id === "activity" && lookForEnds());
  addEventListener("htmx:oobAfterSwap", dropOwnNotices);
}

/** What ended on the page that shows it needs no notice. */
function dropOwnNotices() {
  for (const link of document.querySelectorAll("#toasts a")) {
    if (link.pathname === location.pathname) link.closest(".notice").remove();
  }
}
