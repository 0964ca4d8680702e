// The import form: drop a file anywhere, see it go, and come out at the import's page.
import { duration, percent, size } from "cvt/format";
import { say } from "cvt/say";
import { sendForm } from "cvt/upload";

const form = document.querySelector("form[data-upload]");
const input = form.querySelector("input[type=file]");
const find = (name) => form.querySelector(`[data-${name}]`);
const texts = form.dataset;
let sending = null;

function showFile() {
  const file = input.files[0];
  const [name, bytes] = [find("drop-name"), find("drop-size")];
  name.textContent = file ? file.name : name.dataset.text;
  bytes.textContent = file ? size(file.size) : bytes.dataset.text;
  showError(file ? fault(file) : "");
  suggestName(file);
}

function fault(file) {
  if (!/\.zip$/i.test(file.name)) return texts.textNotZip;
  return file.size > Number(texts.maxBytes) ? texts.textTooLarge : "";
}

function showError(text) {
  const place = find("file-error");
  place.hidden = !text;
  place.querySelector("span").textContent = text;
}

/** The file's name is a good first name for a new dataset, as long as nobody typed another. */
function suggestName(file) {
  const field = form.elements.dataset_name;
  if (!file || (field.value && field.value !== field.dataset.suggested)) return;
  field.value = file.name.replace(/\.zip$/i, "").normalize("NFC").slice(0, 100);
  field.dataset.suggested = field.value;
}

function showNewDataset() {
  find("new-dataset").hidden = Boolean(form.elements.dataset?.value);
}

function showSending(isSending) {
  find("sending").hidden = !isSending;
  find("submit").hidden = isSending;
}

async function send() {
  const startedAt = Date.now();
  showSending(true);
  sending = sendForm(form, { onProgress: (sent, total) => showProgress(sent, total, startedAt) });
  try {
    const answer = await sending.done;
    if (answer.status === 201) return location.assign(JSON.parse(answer.text).url);
    if (answer.status === 422) showAnswer(answer.text);
    else showError(detail(answer.text) || texts.textServer);
  } catch (error) {
    if (error.message === "network") showError(texts.textNetwork);
  } finally {
    sending = null;
  }
  showSending(false);
  form.querySelector("[aria-invalid=true], [data-file-error]:not([hidden])")?.scrollIntoView({ block: "center" });
}

/** What a problem document says, as that the file is too large or the disk full; else nothing. */
function detail(text) {
  try {
    return JSON.parse(text).detail;
  } catch {
    return "";
  }
}

function showProgress(sent, total, startedAt) {
  const seconds = (Date.now() - startedAt) / 1000;
  find("sending").querySelector("progress").value = (100 * sent) / total;
  find("progress-percent").textContent = percent((100 * sent) / total);
  find("progress-counts").textContent = `${size(sent)} / ${size(total)}`;
  const eta = find("progress-eta");
  const left = (seconds * (total - sent)) / sent;
  eta.textContent = sent < total && seconds > 2 ? eta.dataset.text.replace("{time}", duration(left)) : "";
  if (sent === total) say(texts.textArriving);
}

/** The form as the server sent it back, with what is wrong; the chosen file stays chosen. */
function showAnswer(html) {
  const answer = new DOMParser().parseFromString(html, "text/html");
  for (const selector of ["#form-errors", "[data-fields]"]) {
    form.querySelector(selector).replaceWith(answer.querySelector(`form[data-upload] ${selector}`));
  }
  showError(answer.querySelector("[data-file-error] span").textContent.trim());
  showNewDataset();
  form.querySelector("[aria-invalid=true]")?.focus();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (sending) return;
  const file = input.files[0];
  if (file && fault(file)) return showError(fault(file));
  send();
});
form.addEventListener("change", (event) => {
  if (event.target === input) showFile();
  if (event.target.name === "dataset") showNewDataset();
});
form.addEventListener("click", (event) => {
  if (event.target.closest("[data-abort]")) sending?.abort();
});
addEventListener("beforeunload", (event) => sending && event.preventDefault());

// The whole window takes the file: nobody has to aim.
addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("is-dragging");
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("is-dragging");
});
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("is-dragging");
  if (!event.dataTransfer.files.length || sending) return;
  input.files = event.dataTransfer.files;
  showFile();
});
showFile();
showNewDataset();
