// The story of a job, frame by frame: by WebSocket, resumed after every break; by polling where
// sockets do not get through. Frames are numbered without gaps: each is handed on once, in order.

export const ENDED = new Set(["succeeded", "failed", "canceled"]);
const REFUSED = new Set([4401, 4403, 4404]); // as jobs/consumers.py closes
const POLL_SECONDS = 2;
const SOCKET_TRIES = 3;
const SOCKET_AGAIN_SECONDS = 30;
const LONGEST_WAIT = 15;

/**
 * Follow a job.
 *
 * @param {{slug: string, id: string, after?: number,
 *          onFrame: (frame: object) => void,
 *          onState?: (state: "live"|"polling"|"waiting"|"refused"|"ended") => void}} options
 *   `after`: number of the last frame that the page knows already.
 * @returns {{close: () => void, last: () => number}}
 */
export function followJob({ slug, id, after = 0, onFrame, onState = () => {} }) {
  let last = after;
  let socket = null;
  let timer = 0;
  let failures = 0;
  let socketAt = 0;
  let isClosed = false;

  const later = (task, seconds) => {
    clearTimeout(timer);
    if (!isClosed) timer = setTimeout(task, seconds * 1000);
  };
  const stop = (state) => {
    isClosed = true;
    clearTimeout(timer);
    socket?.close();
    if (state) onState(state);
  };

  /** Hand a frame on. Returns false where frames before it are missing. */
  const take = (frame) => {
    if (isClosed || frame.seq <= last) return true;
    if (frame.seq > last + 1) return false;
    last = frame.seq;
    onFrame(frame);
    if (frame.type === "status" && ENDED.has(frame.status)) stop("ended");
    return true;
  };

  const connect = () => {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const opened = new WebSocket(`${scheme}://${location.host}/ws/${slug}/${id}/?after=${last}`);
    socket = opened;
    socketAt = Date.now();
    opened.onopen = () => onState("live");
    opened.onmessage = ({ data }) => {
      failures = 0;
      // A gap: what is missing is asked for again, from the last frame that is known.
      if (!take(JSON.parse(data))) opened.close();
    };
    opened.onclose = ({ code }) => {
      if (isClosed || opened !== socket) return;
      if (REFUSED.has(code)) return stop("refused");
      failures += 1;
      if (failures >= SOCKET_TRIES) return poll();
      onState("waiting");
      later(connect, wait());
    };
  };

  const poll = async () => {
    onState("polling");
    try {
      const response = await fetch(`/api/v1/${slug}/${id}/events/?after=${last}`, {
        headers: { Accept: "application/json" },
      });
      if ([401, 403, 404].includes(response.status)) return stop("refused");
      if (response.ok) {
        const { events } = await response.json();
        for (const frame of events) {
          if (!take(frame)) break;
        }
        failures = SOCKET_TRIES;
      } else {
        failures += 1;
      }
    } catch {
      failures += 1;
      onState("waiting");
    }
    const isTimeForSocket = Date.now() - socketAt > SOCKET_AGAIN_SECONDS * 1000;
    later(isTimeForSocket ? connect : poll, failures > SOCKET_TRIES ? wait() : POLL_SECONDS);
  };

  const wait = () => Math.min(LONGEST_WAIT, 0.5 * 2 ** failures) * (0.75 + Math.random() / 2);

  // A phone that wakes up, a network that is back: do not sit out the wait.
  addEventListener("online", () => {
    if (!isClosed && socket?.readyState !== WebSocket.OPEN) later(connect, 0);
  });
  connect();
  return { close: () => stop(), last: () => last };
}
