// Sends a form with files and tells how far it is: fetch cannot, XMLHttpRequest can.

/**
 * Send a form.
 *
 * @param {HTMLFormElement} form
 * @param {{onProgress: (sent: number, total: number) => void}} options
 * @returns {{done: Promise<{status: number, url: string, text: string}>, abort: () => void}}
 *   `url` is where redirects led; `done` rejects with "network" or "aborted".
 */
export function sendForm(form, { onProgress }) {
  const request = new XMLHttpRequest();
  const done = new Promise((resolve, reject) => {
    request.upload.addEventListener("progress", ({ loaded, total }) => onProgress(loaded, total));
    request.addEventListener("load", () =>
      resolve({ status: request.status, url: request.responseURL, text: request.responseText }));
    request.addEventListener("error", () => reject(new Error("network")));
    request.addEventListener("abort", () => reject(new Error("aborted")));
  });
  request.open("POST", form.action);
  request.setRequestHeader("X-Requested-With", "XMLHttpRequest");
  request.send(new FormData(form));
  return { done, abort: () => request.abort() };
}
