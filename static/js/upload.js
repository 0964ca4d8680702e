// Sends files and tells how far it is: fetch cannot, XMLHttpRequest can.

/**
 * Send data to an address.
 *
 * @param {string} url
 * @param {FormData} data
 * @param {{onProgress: (sent: number, total: number) => void, headers?: Record<string, string>}} options
 * @returns {{done: Promise<{status: number, url: string, text: string}>, abort: () => void}}
 *   `url` is where redirects led; `done` rejects with "network" or "aborted".
 */
export function sendData(url, data, { onProgress, headers = {} }) {
  const request = new XMLHttpRequest();
  const done = new Promise((resolve, reject) => {
    request.upload.addEventListener("progress", ({ loaded, total }) => onProgress(loaded, total));
    request.addEventListener("load", () =>
      resolve({ status: request.status, url: request.responseURL, text: request.responseText }));
    request.addEventListener("error", () => reject(new Error("network")));
    request.addEventListener("abort", () => reject(new Error("aborted")));
  });
  request.open("POST", url);
  for (const [name, value] of Object.entries({ "X-Requested-With": "XMLHttpRequest", ...headers })) {
    request.setRequestHeader(name, value);
  }
  request.send(data);
  return { done, abort: () => request.abort() };
}
