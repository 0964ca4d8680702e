// Classes change their place, and one takes over the name of another; all of it is sent with the form.
import { say } from "cvt/say";

const list = document.querySelector("[data-classes]");

/** Puts a line one place up or down, and keeps the finger on its button. */
function move(button) {
  const line = button.closest("[data-class]");
  const up = button.dataset.move === "-1";
  const other = up ? line.previousElementSibling : line.nextElementSibling;
  if (!other) return;
  if (up) other.before(line);
  else other.after(line);
  button.focus();
  say(`${line.querySelector("[name=name]").value}: ${[...list.children].indexOf(line) + 1}`);
}

/** Gives a class the name of another: they become one. */
function merge(button) {
  const input = button.closest("[data-class]").querySelector("[name=name]");
  input.value = button.dataset.merge;
  button.disabled = true;
  input.focus();
}

list.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.move) move(button);
  else if (button?.dataset.merge) merge(button);
});

// A class that goes looks like it.
function fade(box) {
  box.closest("[data-class]").classList.toggle("is-gone", box.checked);
}
list.addEventListener("change", (event) => event.target.name === "drop" && fade(event.target));
for (const box of list.querySelectorAll("[name=drop]")) fade(box);

// Enter in a name must not send the whole form by mistake.
list.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target.name === "name") event.preventDefault();
});
