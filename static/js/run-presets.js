// Presets of the form of a new training: a press fills in settings, which stay free to change.

/** Make the presets of a form work; nothing where there are none. */
export function startPresets(form) {
  const place = form.querySelector("[data-presets]");
  if (!place) return null;
  let offered = [];

  const values = (preset) => ({ base_model: preset.base_model, ...preset.options });
  const isChosen = (preset) =>
    Object.entries(values(preset)).every(([name, value]) => shown(form.elements[name]) === text(value));
  const button = (name) => place.querySelector(`[data-preset="${CSS.escape(name)}"]`);

  const mark = () => {
    for (const preset of offered) button(preset.name)?.setAttribute("aria-pressed", String(isChosen(preset)));
  };
  const offer = (presets) => {
    offered = presets ?? [];
    for (const preset of offered) {
      const summary = button(preset.name)?.querySelector("[data-summary]");
      if (summary) summary.textContent = preset.summary;
    }
    mark();
  };
  place.addEventListener("click", (event) => {
    const pressed = event.target.closest("[data-preset]");
    const preset = offered.find(({ name }) => name === pressed?.dataset.preset);
    if (!preset) return;
    for (const [name, value] of Object.entries(values(preset))) fill(form.elements[name], value);
    // One event for all: the form checks itself and says what has no effect.
    form.elements.base_model.dispatchEvent(new Event("input", { bubbles: true }));
  });
  return { offer, mark };
}

function fill(control, value) {
  if (!control) return;
  if (control.type === "checkbox") control.checked = value === true;
  else control.value = String(value);
}

const shown = (control) => (control?.type === "checkbox" ? String(control.checked) : text(control?.value ?? ""));
const text = (value) => String(value).trim().replace(",", ".");
