// Choose, drop or photograph pictures, and send them; what is found has a page of its own.
import { count, percent } from "cvt/format";
import { say } from "cvt/say";
import { sendData } from "cvt/upload";

const MOST_PREVIEWS = 24;
const WAIT_SECONDS = 20;
const form = document.querySelector("[data-detect]");
const texts = form.dataset;
const find = (name) => form.querySelector(`[data-${name}]`);
const slider = form.querySelector("#threshold");
const model = form.elements.model;
const button = find("submit");
let files = [];
let key = "";
let isSending = false;
let isThresholdChosen = false;

const isPicture = (file) => /^image\//.test(file.type) || /\.(jpe?g|png|webp|bmp|zip)$/i.test(file.name);

/** Plain http in a local network has no randomUUID. */
function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function add(more) {
  const chosen = [...more].filter(isPicture);
  if (!chosen.length || isSending) return;
  const most = Number(texts.most);
  showError(files.length + chosen.length > most ? texts.textMany : "");
  files = [...files, ...chosen].slice(0, most);
  changed();
}

function changed() {
  key = newKey();
  button.disabled = !files.length;
  const label = files.length > 1 ? button.dataset.textMany.replace("{n}", count(files.length)) : button.dataset.textOne;
  button.querySelector("span").textContent = label;
  drawPreviews();
}

function drawPreviews() {
  const place = find("previews");
  for (const image of place.querySelectorAll("img[src]")) URL.revokeObjectURL(image.src);
  const tiles = files.slice(0, MOST_PREVIEWS).map(preview);
  if (files.length > MOST_PREVIEWS) {
    const more = document.createElement("li");
    more.className = "more";
    more.textContent = texts.textMore.replace("{n}", count(files.length - MOST_PREVIEWS));
    tiles.push(more);
  }
  place.replaceChildren(...tiles);
}

function preview(file) {
  const tile = find("preview").content.firstElementChild.cloneNode(true);
  const image = tile.querySelector("img");
  image.addEventListener("error", () => image.removeAttribute("src"));
  if (/^image\//.test(file.type)) image.src = URL.createObjectURL(file);
  tile.querySelector(".preview-name").textContent = file.name;
  const remove = tile.querySelector("button");
  remove.setAttribute("aria-label", texts.textRemove.replace("{name}", file.name));
  remove.addEventListener("click", () => {
    files = files.filter((other) => other !== file);
    showError("");
    changed();
    (find("previews").querySelector("button") ?? form.querySelector("#pictures")).focus();
  });
  return tile;
}

function showError(text) {
  const place = find("file-error");
  place.hidden = !text;
  place.querySelector("span").textContent = text;
}

function showThreshold() {
  find("threshold-value").textContent = percent(Number(slider.value));
}

/** Each model has the threshold that suits it, until somebody sets another. */
function suggestThreshold() {
  if (!isThresholdChosen) slider.value = Math.round(100 * Number(model.selectedOptions[0].dataset.threshold));
  showThreshold();
}

function showSending(isOn) {
  isSending = isOn;
  find("sending").hidden = !isOn;
  button.disabled = isOn || !files.length;
}

function showSent(sent, total) {
  const isDone = sent >= total;
  const line = find("sending-text");
  const text = isDone ? texts.textDetecting : texts.textSending;
  if (line.textContent !== text) line.textContent = text;
  find("sending-percent").textContent = isDone ? "" : percent((100 * sent) / total);
  const bar = find("sending").querySelector("progress");
  if (isDone) bar.removeAttribute("value");
  else bar.value = (100 * sent) / total;
}

async function send() {
  const data = new FormData();
  data.append("model", model.value);
  data.append("conf", String(Number(slider.value) / 100));
  data.append("wait", String(WAIT_SECONDS));
  for (const file of files) data.append("images", file, file.name);
  showError("");
  showSending(true);
  showSent(0, 1);
  try {
    const headers = { "X-CSRFToken": form.elements.csrfmiddlewaretoken.value, "Idempotency-Key": key, Accept: "application/json" };
    const answer = await sendData(form.action, data, { headers, onProgress: showSent }).done;
    if (answer.status < 300) return location.assign(`${texts.target}${JSON.parse(answer.text).id}/`);
    showError(reason(answer));
  } catch {
    showError(texts.textNetwork);
  }
  showSending(false);
}

function reason(answer) {
  try {
    const { detail, errors = [] } = JSON.parse(answer.text);
    return [detail, ...errors.map((error) => error.detail)].filter(Boolean).join(" ") || texts.textServer;
  } catch {
    return texts.textServer;
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (isSending) return;
  if (files.length) send();
  else showError(texts.textNone);
});
for (const input of form.querySelectorAll("input[type=file]")) {
  input.addEventListener("change", () => {
    add(input.files);
    input.value = "";
    if (files.length) say(button.textContent.trim());
  });
}
slider.addEventListener("input", () => {
  isThresholdChosen = true;
  key = newKey();
  showThreshold();
});
model.addEventListener("change", () => {
  key = newKey();
  suggestThreshold();
});
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
  add(event.dataTransfer.files);
});
addEventListener("paste", (event) => add(event.clipboardData?.files ?? []));
addEventListener("pageshow", (event) => event.persisted && showSending(false));
suggestThreshold();
