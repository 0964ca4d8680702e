// The story of a job, frame by frame: by WebSocket, resumed after every break; by polling where
// sockets do not get through. Frames are numbered without gaps: each is handed on once, in order.

export const ENDED = new Set(["succeeded", "failed", "canceled"]);
const REFUSED = new Set([4401, 4403, 4404]); // as jobs/consumers.py closes
const POLL_SECONDS = 2;
const SOCKET_TRIES = 3;
const SOCKET_AGAIN_SECONDS = 30;
const LONGEST_WAIT = 15;
// The server says nothing where there is nothing to say, and a line that is dead at one end (a laptop
// that slept, another network) says nothing either: after so long, the store is asked, and again after
// twice as long: of a job that waits, a thousand pages would ask in vain for hours.
const SILENT_SECONDS = 20;
const LONGEST_SILENCE = 120;
// What was heard so lately is alive.
const LATELY_MS = 3_000;
const LOOK_MS = 5_000;
const ASK_MS = 10_000;

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
  let heardAt = Date.now();
  let patience = SILENT_SECONDS;

  const later = (task, seconds) => {
    clearTimeout(timer);
    if (!isClosed) timer = setTimeout(task, seconds * 1000);
  };
  const stop = (state) => {
    isClosed = true;
    clearTimeout(timer);
    clearInterval(watch);
    listening.abort();
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
    socketAt = heardAt = Date.now();
    patience = SILENT_SECONDS;
    opened.onopen = () => {
      heardAt = Date.now();
      onState("live");
    };
    opened.onmessage = ({ data }) => {
      // One that was given up may come back to life: its frames come by the other already.
      if (opened !== socket) return;
      failures = 0;
      heardAt = Date.now();
      patience = SILENT_SECONDS;
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

  /** Leave a line that may be dead, and go on from the last frame on another one. */
  const connectAgain = () => {
    const left = socket;
    clearTimeout(timer);
    connect();
    left?.close();
  };

  const ask = () =>
    fetch(`/api/v1/${slug}/${id}/events/?after=${last}`, {
      headers: { Accept: "application/json" },
      signal: AbortSignal.timeout(ASK_MS),
    });

  const poll = async () => {
    if (socket.readyState === WebSocket.OPEN) return; // it came back meanwhile
    onState("polling");
    try {
      const response = await ask();
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

  /** Silent for long: where the store knows more, or cannot be reached, the line is dead. */
  const lookForSilence = async () => {
    const isQuiet = Date.now() - heardAt >= patience * 1000;
    if (!isQuiet || document.hidden || socket.readyState > WebSocket.OPEN) return;
    const [asked, from] = [socket, last];
    heardAt = Date.now();
    patience = Math.min(LONGEST_SILENCE, 2 * patience);
    const answer = await ask().then((response) => response.ok && response.json(), () => null);
    const isDead = answer === null || answer?.events?.length > 0;
    if (isDead && !isClosed && asked === socket && from === last) connectAgain();
  };

  // A phone that wakes up, a network that is back or another one: do not sit out any wait, and do not
  // trust a line that says that it is open.
  const listening = new AbortController();
  const { signal } = listening;
  addEventListener("online", connectAgain, { signal });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && Date.now() - heardAt > LATELY_MS) connectAgain();
  }, { signal });
  const watch = setInterval(lookForSilence, LOOK_MS);
  connect();
  return { close: () => stop(), last: () => last };
}
