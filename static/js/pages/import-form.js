// The import form: drop a file anywhere, see it go, and come out at the import's page.
import { duration, percent, size } from "cvt/format";
import { sendPieces } from "cvt/pieces";
import { say } from "cvt/say";
import { sendData } from "cvt/upload";

const form = document.querySelector("form[data-upload]");
const input = form.querySelector("input[type=file]");
const find = (name) => form.querySelector(`[data-${name}]`);
const texts = form.dataset;
let sending = null;
/** What has arrived already: a form that is corrected does not send its file again. */
let arrived = { file: null, upload: "", forget: () => {} };
/** From where the speed is counted: the start, or the last pause or lost connection. */
let measured = null;

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
  showSending(true);
  try {
    const data = new FormData(form);
    const file = input.files[0];
    if (file) {
      data.delete("file");
      data.set("upload", await arrive(file));
      say(texts.textArriving);
    }
    sending = sendData(form.action, data, { onProgress: () => {} });
    const answer = await sending.done;
    if (answer.status === 201) {
      await arrived.forget();
      sending = null;
      return location.assign(JSON.parse(answer.text).url);
    }
    if (answer.status === 422) showAnswer(answer.text);
    else showError(detail(answer.text) || texts.textServer);
  } catch (error) {
    if (error.message === "network") showError(texts.textNetwork);
    if (error.message === "refused") showError(detail(error.answer) || texts.textServer);
  } finally {
    sending = null;
  }
  showSending(false);
  form.querySelector("[aria-invalid=true], [data-file-error]:not([hidden])")?.scrollIntoView({ block: "center" });
}

/** Send the file in pieces; give the id under which it has arrived. */
async function arrive(file) {
  if (arrived.file === file) return arrived.upload;
  measured = null;
  showState("sending");
  const csrf = form.elements.csrfmiddlewaretoken.value;
  showResumed(0);
  const { uploads: url, project } = texts;
  sending = sendPieces(file, { url, project, csrf, onProgress: showProgress, onState: showState, onResumed: showResumed });
  const { forget } = sending;
  arrived = { file, upload: await sending.done, forget };
  return arrived.upload;
}

/** Say that a part of the file is there already, from a tab that was closed. */
function showResumed(sent) {
  const place = find("resumed");
  place.hidden = !sent;
  place.textContent = sent ? place.dataset.text.replace("{size}", size(sent)) : "";
  if (sent) say(place.textContent);
}

/** Say how the sending stands; the speed is counted anew after each break. */
function showState(state) {
  const phase = find("progress-phase");
  const text = phase.getAttribute(`data-text-${state}`);
  if (phase.textContent === text && state === "sending") return;
  phase.textContent = text;
  find("sending").dataset.state = state;
  find("pause").hidden = state === "paused";
  find("resume").hidden = state !== "paused";
  find("progress-eta").textContent = "";
  measured = null;
  if (state !== "sending") say(text);
}

/** What a problem document says, as that the file is too large or the disk full; else nothing. */
function detail(text) {
  try {
    return JSON.parse(text).detail;
  } catch {
    return "";
  }
}

function showProgress(sent, total) {
  measured ??= { at: Date.now(), sent };
  const seconds = (Date.now() - measured.at) / 1000;
  const speed = seconds > 1 ? (sent - measured.sent) / seconds : 0;
  find("sending").querySelector("progress").value = (100 * sent) / total;
  find("progress-percent").textContent = percent((100 * sent) / total);
  find("progress-counts").textContent = `${size(sent)} / ${size(total)}` + (speed > 0 ? ` · ${size(speed)}/s` : "");
  const eta = find("progress-eta");
  const isKnown = speed > 0 && sent < total && seconds > 2;
  eta.textContent = isKnown ? eta.dataset.text.replace("{time}", duration((total - sent) / speed)) : "";
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
  if (event.target.closest("[data-pause]")) sending?.pause?.();
  if (event.target.closest("[data-resume]")) sending?.resume?.();
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
