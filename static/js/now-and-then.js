// What a page asks for by itself. Thousands may be open: each asks at moments of its own, and only
// while somebody looks at it.

const SOON_SECONDS = [0.3, 2];
const AGAIN_SECONDS = [5, 15];

/**
 * Do a task every so often while the page can be seen; where its turn came unseen, once it is seen.
 *
 * @param {() => void} task
 * @param {{seconds: [number, number], isWanted?: () => boolean}} options between two turns, from and
 *   to; `isWanted` in place of being seen
 */
export function nowAndThen(task, { seconds, isWanted = () => !document.hidden }) {
  let isDue = false;
  const turn = () => {
    isDue = !isWanted();
    if (!isDue) task();
  };
  const wait = () =>
    setTimeout(() => {
      turn();
      wait();
    }, 1000 * between(seconds));
  document.addEventListener("visibilitychange", () => isDue && turn());
  wait();
}

/**
 * Return a call after which a task is done soon: once for all calls until then, once the page can be
 * seen, and not before the last time is over, so that the answer that comes last is the newest.
 *
 * @param {() => Promise<boolean | void>} task gives false, or breaks, where it is to be done again
 */
export function soon(task) {
  let isComing = false;
  let isDoing = Promise.resolve();
  const call = (seconds = SOON_SECONDS) => {
    if (isComing) return;
    isComing = true;
    setTimeout(begin, 1000 * between(seconds));
  };
  const begin = async () => {
    await Promise.all([isDoing, seen()]);
    isComing = false;
    isDoing = task().catch(() => false).then((isDone) => isDone === false && call(AGAIN_SECONDS));
  };
  return () => call();
}

/** Wait until the page can be seen. */
async function seen() {
  while (document.hidden) {
    await new Promise((done) => document.addEventListener("visibilitychange", done, { once: true }));
  }
}

function between([least, most]) {
  return least + Math.random() * (most - least);
}
