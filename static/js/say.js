// Tell people who do not look: one live region, and toasts that everybody sees.

/** Announce a sentence to screen readers. */
export function say(text) {
  const live = document.getElementById("live");
  live.textContent = "";
  // A change in a later task is announced even where the sentence is the same.
  setTimeout(() => {
    live.textContent = text;
  }, 50);
}

/** Show a sentence for some seconds, and announce it. `tone`: "", good, warn, bad. */
export function toast(text, { tone = "", href = "", seconds = 8 } = {}) {
  const box = document.createElement("div");
  box.className = `notice ${tone && `is-${tone}`}`;
  const line = document.createElement(href ? "a" : "p");
  if (href) line.href = href;
  line.textContent = text;
  box.append(line);
  document.getElementById("toasts").append(box);
  say(text);
  setTimeout(() => box.remove(), seconds * 1000);
}
