import { createSealingRecord, toBase64Url, type DeviceId, type Primitives } from '@keytide/crypto-core';
import { parseEntry, publishKeys, signEntry } from '@keytide/key-directory';
import type { SeededDevice } from '../seeded-device.ts';
import { bodyOf, entryIn, isEntryHandedIn } from './entry-body.ts';
import type { HostileRelay } from './relay.ts';

/** Joins whose keys were swapped. */
export interface SwappedJoins {
  /** The entries that were handed on, or that an accomplice may show to members. */
  readonly entries: readonly Uint8Array[];
  end(): void;
}

/**
 * Puts the attacker's keys in place of those that the holder of an invite joins with; the signature by the invite's
 * key stays, the attacker signs the rest anew.
 *
 * The attacker has the keys of `ghost`, and everything that the joiner sends, but not the invite's key: that is in
 * the part of the link that no server sees. A sound protocol has the invite's key sign the joiner's keys, so whoever
 * replays the log refuses the entry.
 */
export function swapKeysAtJoin(
  relay: HostileRelay,
  invite: string,
  { primitives, ghost }: { readonly primitives: Primitives; readonly ghost: SeededDevice },
): SwappedJoins {
  const entries: Uint8Array[] = [];
  const end = relay.attack({
    victim: invite,
    async call(call, forward) {
      if (!isEntryHandedIn(call)) return await forward(call);
      const entry = parseEntry(primitives, entryIn(call.body));
      if (entry.body.kind !== 'join' && entry.body.kind !== 'add-device') return await forward(call);
      const body = { ...entry.body, ...publishKeys(primitives, ghost.own) };
      const swapped = signEntry(primitives, ghost.signer, { ...entry, body });
      entries.push(swapped);
      return await forward({ ...call, body: bodyOf(swapped) });
    },
  });
  return { entries, end };
}

/**
 * Tells whoever asks that the relay has another key (Ed25519, 32 bytes).
 *
 * The attacker has that key's secret, and not the relay's. A sound client takes the key that signs checkpoints from
 * the log, and asks for it at most once: when it founds an organisation, where the policy has not named it.
 */
export function swapRelayKey(relay: HostileRelay, publicKey: Uint8Array): () => void {
  return relay.attack({
    async call(call, forward) {
      const answer = await forward(call);
      if (call.path !== '/v1/health') return answer;
      return {
        status: answer.status,
        body: { ...(answer.body as object), key: toBase64Url(publicKey) },
      };
    },
  });
}

/**
 * Puts the attacker's sealing key, said to be in force from `fromMs` on, in place of all that `device` has published
 * in the list that `victim` reads, so that what the victim seals to that device only the attacker could open.
 *
 * The attacker has the keys of `ghost`, which signs the record, and not the device's. A sound client takes a sealing
 * key only from a record that the device's own signing key has signed, which is in the log.
 */
export function swapSealingKey(
  relay: HostileRelay,
  victim: string,
  aim: {
    readonly primitives: Primitives;
    readonly device: DeviceId;
    readonly ghost: SeededDevice;
    readonly fromMs: number;
    readonly untilMs: number;
  },
): () => void {
  const { primitives, device, ghost, fromMs, untilMs } = aim;
  const record = createSealingRecord(primitives, ghost.signer, {
    device,
    publicKey: ghost.decapsulator.publicKey,
    notBeforeMs: fromMs,
    notAfterMs: untilMs,
  });
  return relay.attack({
    victim,
    async call(call, forward) {
      const answer = await forward(call);
      if (call.method !== 'GET' || !call.path.includes('/sealing-records?')) return answer;
      const page = answer.body as {
        readonly records: readonly { readonly device: string }[];
        readonly next: number;
      };
      const others = page.records.filter((known) => known.device !== device);
      const records = [...others, { device, record: toBase64Url(record) }];
      return { status: answer.status, body: { ...page, records, next: page.next + 1 } };
    },
  });
}
