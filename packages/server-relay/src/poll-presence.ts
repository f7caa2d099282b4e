import type { DeviceId, OrgId } from '@keytide/crypto-core';
import type { PushDispatcher } from './push/dispatcher.ts';

/** Devices that count as connected while they poll, and for a moment between two polls. */
export interface PollPresence {
  /** A poll begins; call the returned function when it ends. */
  come(org: OrgId, device: DeviceId): () => void;
  /** Nobody comes again. */
  close(): void;
}

interface Present {
  polls: number;
  timer: NodeJS.Timeout | null;
  readonly left: () => void;
}

/** So long after its last poll a device counts as gone: as one whose connection was lost, for it says nothing. */
const LINGER_MS = 5_000;

/** Tells `presence`, as for sockets, of each device once, however many polls follow each other. */
export function createPollPresence({ came, left }: Pick<PushDispatcher, 'came' | 'left'>): PollPresence {
  const present = new Map<string, Present>();
  let isClosed = false;

  function wait(who: Present): void {
    if (isClosed) who.left();
    else who.timer = setTimeout(who.left, LINGER_MS).unref();
  }

  return {
    come(org, device) {
      const name = org + device;
      let who = present.get(name);
      if (who === undefined) {
        who = {
          ...{ polls: 0, timer: null },
          left() {
            present.delete(name);
            left(org, device, false);
          },
        };
        present.set(name, who);
        came(org, device);
      }
      const one = who;
      if (one.timer !== null) clearTimeout(one.timer);
      one.timer = null;
      one.polls += 1;
      return () => {
        one.polls -= 1;
        if (one.polls === 0) wait(one);
      };
    },
    close() {
      isClosed = true;
      for (const who of present.values()) {
        if (who.timer === null) continue;
        clearTimeout(who.timer);
        who.left();
      }
    },
  };
}
