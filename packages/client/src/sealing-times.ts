import type { SealingTimes } from '@keytide/crypto-core';
import type { Policy } from '@keytide/key-directory';

/** The times of a policy that sealing keys live by (docs/spec/keys-and-sealing.md). */
export function sealingTimesOf({ blockSeconds, retentionSeconds, silenceSeconds }: Policy): SealingTimes {
  return {
    blockMs: blockSeconds * 1000,
    retentionMs: retentionSeconds * 1000,
    graceMs: (silenceSeconds ?? blockSeconds) * 1000,
  };
}
