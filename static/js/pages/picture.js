// One picture: boxes with names, zoom, one class at a time, next and previous by keyboard and swipe.
import { BoxView } from "cvt/box-view";
import { onSwipe } from "cvt/swipe";

const page = document.querySelector("[data-picture]");
const svg = document.getElementById("picture");
const image = svg.querySelector("image");
const boxes = JSON.parse(document.getElementById("boxes").textContent);
const view = new BoxView(svg);
view.show({
  url: image.getAttribute("href"),
  width: Number(image.getAttribute("width")),
  height: Number(image.getAttribute("height")),
  alt: svg.getAttribute("aria-label"),
  boxes,
});

// Names hide a full shelf: there they come when they are asked for.
const namesButton = page.querySelector("[data-names]");
if (boxes.length > (innerWidth < 768 ? 8 : 30)) view.showLabels(toggle(namesButton));

page.addEventListener("click", (event) => {
  const zoom = event.target.closest("[data-zoom]");
  if (zoom) view.zoomTo(view.scale * (zoom.dataset.zoom === "in" ? 1.5 : 1 / 1.5));
  if (event.target.closest("[data-names]")) view.showLabels(toggle(namesButton));
  const one = event.target.closest("[data-class]");
  if (one) chooseClass(one);
});

function toggle(button) {
  const isOn = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", String(isOn));
  return isOn;
}

/** Show only the boxes of one class; pressed again, all of them. */
function chooseClass(button) {
  for (const other of page.querySelectorAll("[data-class]")) {
    if (other !== button) other.setAttribute("aria-pressed", "false");
  }
  const isOn = toggle(button);
  view.filter((box) => !isOn || box.classId === Number(button.dataset.class));
}

/** To the next picture (1) or the one before (-1), if there is one. */
function go(direction) {
  document.querySelector(direction > 0 ? "a[rel=next]" : "a[rel=prev]")?.click();
}

// In a picture that is magnified, a finger moves the picture.
let wasZoomed = false;
svg.addEventListener("pointerdown", () => { wasZoomed = view.scale > 1; });
onSwipe(svg, (direction) => wasZoomed || view.scale > 1 || go(direction));

addEventListener("keydown", (event) => {
  if (event.target.closest("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "ArrowLeft") go(-1);
  if (event.key === "ArrowRight") go(1);
  if (event.key === "Escape") location.assign(page.dataset.up);
  if (event.key === "+") view.zoomTo(view.scale * 1.5);
  if (event.key === "-") view.zoomTo(view.scale / 1.5);
});
