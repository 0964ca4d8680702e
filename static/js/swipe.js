// A finger that goes sideways over something: to the next one or back.

const LEAST_PIXELS = 56;
const STEEPEST = 0.6;

/**
 * Calls back for each swipe; the element must leave sideways moves to us (`touch-action: pan-y`).
 * @param {Element} element
 * @param {(direction: 1 | -1) => void} go 1 for a finger that went left: to the next
 */
export function onSwipe(element, go) {
  let start = null;
  let fingers = 0;
  element.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "touch") return;
    fingers += 1;
    // A second finger makes it a pinch.
    start = fingers === 1 ? event : null;
  });
  element.addEventListener("pointerup", (event) => {
    if (start?.pointerId === event.pointerId) end(event.clientX - start.clientX, event.clientY - start.clientY);
  });
  for (const name of ["pointerup", "pointercancel"]) {
    element.addEventListener(name, (event) => {
      if (event.pointerType !== "touch") return;
      fingers = Math.max(0, fingers - 1);
      start = null;
    });
  }

  function end(right, down) {
    if (Math.abs(right) >= LEAST_PIXELS && Math.abs(down) <= Math.abs(right) * STEEPEST) go(right < 0 ? 1 : -1);
  }
}
