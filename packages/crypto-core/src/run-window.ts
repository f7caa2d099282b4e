/** How much of a group's log a window holds at most; a single entry that is larger has a window of its own. */
const WINDOW_ENTRIES = 1024;
const WINDOW_BYTES = 4 * 1024 * 1024;

/**
 * The window of the log that the newest entry is in. A message vouches only for messages in its own window, so
 * receivers keep little of what they refused, and all of them the same (docs/spec/envelope.md, "Authenticity").
 */
export interface RunWindow {
  readonly entries: number;
  readonly sizeBytes: number;
}

/** Before the first entry of a log. */
export const EMPTY_WINDOW: RunWindow = { entries: 0, sizeBytes: 0 };

/** The window of the next entry, of `sizeBytes` without its kind: the same grown, or a new one (`entries` is 1). */
export function nextWindow(window: RunWindow, sizeBytes: number): RunWindow {
  const grown = { entries: window.entries + 1, sizeBytes: window.sizeBytes + sizeBytes };
  const fits = grown.entries <= WINDOW_ENTRIES && grown.sizeBytes <= WINDOW_BYTES;
  return fits ? grown : { entries: 1, sizeBytes };
}
