import {
  CryptoError,
  equalBytes,
  parseSealingRecord,
  requireNextSealingRecord,
  sealingRecordAt,
  verifySealingRecord,
  type DeviceId,
  type Primitives,
  type SealingRecord,
  type SealingTimes,
} from '@keytide/crypto-core';
import type { Device, DirectoryState, Policy } from '@keytide/key-directory/verify';
import type { DirectoryStore, StoredSealingRecord } from './directory-store.ts';
import { RelayError } from './errors.ts';
import type { EnteredDevice } from './gate.ts';

/** What judging a sealing record takes. */
export interface SealingRecordTools {
  readonly store: Pick<DirectoryStore, 'readSealingRecords' | 'addSealingRecord'>;
  readonly primitives: Primitives;
  readonly nowMs: number;
}

/** A device that publishes once for each block does not meet itself this often. */
const ATTEMPTS = 3;

/**
 * Keeps the sealing record that a device hands in, and answers its seq; the same bytes again change nothing
 * while they are among its newest four. It must follow the record of the log and those kept
 * (docs/spec/keys-and-sealing.md), by the relay's clock.
 * @throws RelayError `malformed`, `too-large`, `unsupported-version`; `record-refused` with the reason
 * `bad-signature`, `wrong-context`, `bad-key` or `bad-validity`; `unavailable`
 */
export async function acceptSealingRecord(
  { store, primitives, nowMs }: SealingRecordTools,
  { org, state, device }: EnteredDevice,
  wire: Uint8Array,
): Promise<number> {
  const record = inRelayTerms(() => readRecord(primitives, device, wire));
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const kept = await store.readSealingRecords(org, device.id);
    const repeated = kept.find((stored) => equalBytes(stored.wire, wire));
    if (repeated !== undefined) return repeated.seq;
    const published = publishedBy(device, kept);
    inRelayTerms(() => requireNextSealingRecord(published, record, nowMs, timesOf(state.policy)));
    const afterSeq = kept[kept.length - 1]?.seq ?? 0;
    const seq = await store.addSealingRecord({ org, device: device.id, wire, afterSeq });
    if (seq !== null) return seq;
  }
  throw new RelayError('unavailable', 'the device publishes several records at once');
}

/**
 * Which of these devices have been silent for so long that there is no key to seal to for an epoch made at
 * `atMs`. Stops at the first that has one: whoever asks wants all of them to be silent.
 */
export async function silentAmong(
  store: Pick<DirectoryStore, 'readSealingRecords'>,
  state: DirectoryState,
  devices: readonly DeviceId[],
  atMs: number,
): Promise<ReadonlySet<DeviceId>> {
  const silent = new Set<DeviceId>();
  for (const id of devices) {
    const kept = await store.readSealingRecords(state.org, id);
    const published = publishedBy(state.devices.get(id) as Device, kept);
    if (sealingRecordAt(published, atMs, timesOf(state.policy)).kind !== 'silent') break;
    silent.add(id);
  }
  return silent;
}

/** The record of the log, then those kept. */
function publishedBy(
  { id, sealing }: Device,
  kept: readonly StoredSealingRecord[],
): [SealingRecord, ...SealingRecord[]] {
  return [{ device: id, ...sealing }, ...kept.map(({ wire }) => parseSealingRecord(wire))];
}

/** A record of this device with a key that can be sealed to: one that cannot would stop every epoch. */
function readRecord(primitives: Primitives, device: Device, wire: Uint8Array): SealingRecord {
  const record = verifySealingRecord(primitives, primitives.verifier(device.signingPublicKey), wire);
  primitives.encapsulator(record.publicKey);
  return record;
}

function timesOf(policy: Policy): SealingTimes {
  const { blockSeconds, retentionSeconds, silenceSeconds = blockSeconds } = policy;
  return {
    blockMs: blockSeconds * 1000,
    retentionMs: retentionSeconds * 1000,
    graceMs: silenceSeconds * 1000,
  };
}

function inRelayTerms<T>(check: () => T): T {
  try {
    return check();
  } catch (cause) {
    if (!(cause instanceof CryptoError)) throw cause;
    const { code: reason } = cause;
    if (reason === 'malformed' || reason === 'too-large' || reason === 'unsupported-version')
      throw new RelayError(reason, 'not a sealing record', { cause });
    throw new RelayError('record-refused', `this sealing record is refused: ${reason}`, { cause, reason });
  }
}
