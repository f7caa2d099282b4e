import type { Dial, Line, LineEnd } from './line.ts';
import type { Clock } from './ports.ts';

/** Sockets that do not open, one after the other, before the device does without. */
const FAILURES = 3;
/** How often a device that does without tries a socket again. */
const AGAIN_MS = 300_000;

/**
 * Takes the WebSocket as long as it opens now and then, and plain requests where it does not: some networks let no
 * upgrade through. Call the result for each attempt; only for one whose relay answers requests.
 */
export function chooseLine(clock: Clock, socket: Dial, polled: Dial): Dial {
  let failures = 0;
  return (end) => {
    if (failures < FAILURES)
      return watched(socket, end, (isOpened) => (failures = isOpened ? 0 : failures + 1));
    const over = new AbortController();
    const line = polled({
      opened: () => end.opened(),
      received: (frame, cause) => end.received(frame, cause),
      ended() {
        over.abort();
        end.ended();
      },
    });
    void tryAgain(clock, socket, over.signal).then((isOpened) => {
      if (!isOpened) return;
      failures = 0;
      line.close();
    });
    return line;
  };
}

/** Tells once whether a line has opened, when that is known. */
function watched(dial: Dial, end: LineEnd, told: (isOpened: boolean) => void): Line {
  let isTold = false;
  const tell = (isOpened: boolean): void => {
    if (!isTold) told(isOpened);
    isTold = true;
  };
  return dial({
    received: (frame, cause) => end.received(frame, cause),
    opened() {
      tell(true);
      end.opened();
    },
    ended() {
      tell(false);
      end.ended();
    },
  });
}

/** Whether a socket has opened, before `signal`. */
async function tryAgain(clock: Clock, socket: Dial, signal: AbortSignal): Promise<boolean> {
  while (!signal.aborted) {
    await clock.wait(AGAIN_MS, signal);
    if (signal.aborted) break;
    const isOpened = await new Promise<boolean>((resolve) => {
      const line = watched(socket, { opened: () => line.close(), received() {}, ended() {} }, resolve);
      signal.addEventListener('abort', () => line.close());
    });
    if (isOpened) return true;
  }
  return false;
}
