// The form of a new training: says at once what is wrong, what has no effect, and what comes out.
import { language } from "cvt/format";
import { startPresets } from "cvt/run-presets";

const form = document.querySelector("[data-run-form]");
const WAIT_MS = 250;
// A field that switches itself off must stay open: it is where the reason is put right.
const NEVER_LOCKED = new Set(["patience"]);

const json = (id) => JSON.parse(document.getElementById(id).textContent);
const number = (text) => (text.trim() === "" ? NaN : Number(text.trim().replace(",", ".")));
const precise = new Intl.NumberFormat(language, { maximumSignificantDigits: 3, maximumFractionDigits: 12 });

if (form) start();

function start() {
  const helps = json("model-helps");
  const model = form.elements.base_model;
  const showModel = () => {
    form.querySelector("[data-model-help]").textContent = helps[model.value] ?? "";
  };
  const presets = startPresets(form);
  let timer = 0;
  let asked = 0;

  const check = async () => {
    asked += 1;
    const mine = asked;
    try {
      const response = await fetch(form.dataset.check, { method: "POST", body: new FormData(form) });
      if (!response.ok || mine !== asked) return; // a later question is on its way
      const { errors, no_effect: noEffect, presets: offered, preflight } = await response.json();
      showErrors(errors);
      showNoEffect(noEffect);
      presets?.offer(offered);
      form.querySelector("[data-preflight]").innerHTML = preflight; // our own template
    } catch {
      // Away from the network: the server checks all again when the form is sent.
    }
  };

  form.addEventListener("input", (event) => {
    showFinalRate();
    presets?.mark();
    if (event.target === model) showModel();
    clearTimeout(timer);
    timer = setTimeout(check, WAIT_MS);
  });
  // A box to tick knows no `readOnly`.
  form.addEventListener("click", (event) => {
    if (event.target.type === "checkbox" && event.target.ariaDisabled === "true") event.preventDefault();
  });
  form.addEventListener("submit", () => setTimeout(() => lock(form.querySelector(".btn-primary"))));
  addEventListener("pageshow", (event) => event.persisted && location.reload());
  showModel();
  showFinalRate();
  showNoEffect(json("no-effect"));
  presets?.offer(json("presets"));
  form.querySelector("[aria-invalid=true]")?.focus();
}

/** Sent once: the button says so, and takes no second press. */
function lock(button) {
  button.disabled = true;
  button.querySelector("span").textContent = button.dataset.textSending;
}

function showFinalRate() {
  const line = form.querySelector("[data-final-rate]");
  const rate = number(form.elements.lr0.value) * number(form.elements.lrf.value);
  const isAuto = form.elements.optimizer.value === "auto";
  line.hidden = !isAuto && !Number.isFinite(rate);
  line.textContent = isAuto ? line.dataset.textAuto : line.dataset.text.replace("{rate}", precise.format(rate));
}

function showErrors(errors) {
  for (const option of form.querySelectorAll("[data-option-name]")) {
    const text = errors[option.dataset.optionName] ?? "";
    const control = form.elements[option.dataset.optionName];
    let place = option.querySelector(".field-error");
    if (!place && text) {
      place = form.querySelector("template[data-error]").content.firstElementChild.cloneNode(true);
      place.id = `${control.id}-error`;
      option.querySelector(".field").append(place);
    }
    if (place) {
      place.hidden = !text;
      place.querySelector("span").textContent = text;
    }
    control.toggleAttribute("aria-invalid", Boolean(text));
    if (text) control.setAttribute("aria-invalid", "true");
    describe(control, `${control.id}-error`, Boolean(text));
  }
}

function showNoEffect(reasons) {
  for (const option of form.querySelectorAll("[data-option-name]")) {
    const name = option.dataset.optionName;
    const reason = reasons[name] ?? "";
    const control = form.elements[name];
    const note = option.querySelector("[data-off]");
    note.hidden = !reason;
    note.querySelector("span").textContent = reason;
    const isLocked = Boolean(reason) && !NEVER_LOCKED.has(name);
    // Not `disabled`: what was typed is sent and comes back when it has an effect again.
    control.readOnly = isLocked;
    for (const choice of control.options ?? []) choice.disabled = isLocked && !choice.selected;
    option.classList.toggle("is-off", isLocked);
    if (isLocked) control.setAttribute("aria-disabled", "true");
    else control.removeAttribute("aria-disabled");
    describe(control, note.id, Boolean(reason));
  }
}

/** Tie a note to a control for screen readers, or untie it. */
function describe(control, id, isTied) {
  const ids = new Set((control.getAttribute("aria-describedby") ?? "").split(" ").filter(Boolean));
  if (isTied) ids.add(id);
  else ids.delete(id);
  if (ids.size) control.setAttribute("aria-describedby", [...ids].join(" "));
  else control.removeAttribute("aria-describedby");
}
