// Filters apply as soon as they are chosen; arrow keys walk over the pictures.
const filters = document.querySelector("[data-filters]");
filters?.addEventListener("change", (event) => {
  if (event.target.matches("select")) filters.requestSubmit();
});
// Empty filters do not stand in the address.
filters?.addEventListener("formdata", ({ formData }) => {
  for (const [name, value] of [...formData]) {
    if (!value) formData.delete(name);
  }
});

const gallery = document.querySelector("[data-gallery]");
gallery?.addEventListener("keydown", (event) => {
  const tiles = [...gallery.querySelectorAll(".tile")];
  const at = tiles.indexOf(document.activeElement);
  if (at < 0) return;
  const perRow = tiles.filter((tile) => tile.offsetTop === tiles[0].offsetTop).length;
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: perRow, ArrowUp: -perRow }[event.key];
  const next = step && tiles[at + step];
  if (!next) return;
  event.preventDefault();
  next.focus();
});
