// What every page does: menus that close, toasts that can be dismissed, copy buttons, submits once.
import { keepBell } from "cvt/bell";
import { say } from "cvt/say";

const openMenus = () => document.querySelectorAll("details[data-menu][open]");

addEventListener("click", (event) => {
  for (const menu of openMenus()) {
    if (!menu.contains(event.target)) menu.open = false;
  }
  event.target.closest?.("[data-dismiss]")?.closest(".notice")?.remove();
  const copy = event.target.closest?.("[data-copy]");
  if (copy) copyText(copy);
});

addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of openMenus()) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) return event.preventDefault();
  if (form.method === "post" && !form.hasAttribute("data-upload")) {
    // In the next task: a disabled button would not be sent, and `invalid` may still stop it.
    setTimeout(() => {
      if (!event.defaultPrevented) markSent(form, event.submitter);
    });
  }
});

/** A form is sent once; a button with data-busy says meanwhile what takes time. */
function markSent(form, button) {
  form.dataset.sent = "1";
  if (!button?.dataset.busy) return;
  button.setAttribute("aria-busy", "true");
  button.querySelector("span").textContent = button.dataset.busy;
  say(button.dataset.busy);
}

// Back from the browser's cache: forms may be sent again.
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

keepBell();

async function copyText(button) {
  const source = document.querySelector(button.dataset.copy);
  const text = source.value ?? source.textContent;
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text.trim());
  } else {
    // Plain http in a local network has no clipboard: select it for Ctrl-C.
    getSelection().selectAllChildren(source);
    return;
  }
  say(button.dataset.copied);
  button.lastElementChild.textContent = button.dataset.copied;
}
