// Sends a large file in pieces by the tus protocol: pauses, survives a lost connection and a closed tab.
import { Upload } from "tus";

const PIECE = 16 * 1024 * 1024;
const HOUR = 3600_000;
/** How long to wait before each try after a lost connection: soon at first, then for an hour. */
const DELAYS = [0, 1000, 3000, 5000, ...Array(HOUR / 10_000).fill(10_000)];

/**
 * Send a file; one of which a part is there already goes on where it was.
 *
 * @param {File} file
 * @param {{url: string, project: string, csrf: string,
 *   onProgress: (sent: number, total: number) => void,
 *   onState: (state: "sending" | "paused" | "lost") => void,
 *   onResumed: (sent: number) => void}} options `onResumed` where a part had arrived before
 * @returns {{done: Promise<string>, pause: () => void, resume: () => void, abort: () => void,
 *   forget: () => Promise<void>}}
 *   `done` gives the id of the upload; it rejects with "aborted", or with an error that has the
 *   server's `answer`. `forget` once the file is used.
 */
export function sendPieces(file, { url, project, csrf, onProgress, onState, onResumed }) {
  let upload;
  let known = "";
  let fail;
  let isPaused = false;
  const done = new Promise((resolve, reject) => {
    fail = reject;
    upload = new Upload(file, {
      endpoint: url,
      chunkSize: PIECE,
      retryDelays: DELAYS,
      headers: { "X-CSRFToken": csrf },
      metadata: { filename: file.name, project },
      // The same file of the same project, chosen again.
      fingerprint: async () => ["cvt", project, file.name, file.size, file.lastModified].join("/"),
      onShouldRetry: (error) => {
        const again = mayPass(error.originalResponse?.getStatus() ?? 0);
        if (again && !isPaused) onState("lost");
        return again;
      },
      onProgress: (sent, total) => {
        if (isPaused) return;
        onState("sending");
        // Not where what was known had gone meanwhile: the upload has another address then.
        if (known && known === upload.url && sent > 0) onResumed(sent);
        known = "";
        onProgress(sent, total);
      },
      onSuccess: () => resolve(upload.url.split("/").pop()),
      onError: (error) =>
        reject(Object.assign(new Error("refused"), { answer: error.originalResponse?.getBody() ?? "" })),
    });
  });
  start(upload).then((address) => (known = address)).catch(() => fail(new Error("network")));
  return {
    done,
    pause: () => {
      isPaused = true;
      upload.abort();
      onState("paused");
    },
    resume: () => {
      isPaused = false;
      onState("sending");
      upload.start();
    },
    abort: () => {
      isPaused = true;
      fail(new Error("aborted"));
      // What the server could not be told now expires there.
      upload.abort(true).catch(() => {});
    },
    forget: async () => {
      for (const { urlStorageKey } of await upload.findPreviousUploads()) localStorage.removeItem(urlStorageKey);
    },
  };
}

/** Begin, or go on where the newest try was; give its address. */
async function start(upload) {
  const known = await upload.findPreviousUploads();
  known.sort((a, b) => new Date(b.creationTime) - new Date(a.creationTime));
  if (known.length) upload.resumeFromPreviousUpload(known[0]);
  upload.start();
  return known[0]?.uploadUrl ?? "";
}

/** Whether a failure may be over in a moment: no answer, a busy upload or server; not a full disk. */
function mayPass(status) {
  return status === 0 || status === 409 || status === 423 || status === 429 || (status >= 500 && status !== 507);
}
