import {
  createSealingRecord,
  CryptoError,
  equalBytes,
  parseSealingRecord,
  requireNextSealingRecord,
  sealingRecordAt,
  verifySealingRecord,
  type SealingChoice,
  type SealingRecord,
  type SealingTimes,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import type { Device } from '@keytide/key-directory';
import type { SealingRecordsBody } from '@keytide/relay-protocol';
import type { SeededDevice } from '@keytide/testkit';
import { ClientError } from '../../src/errors.ts';

/** What a relay shows of the list of records. */
export const SHOWN = ['all', 'none', 'old ones', 'backwards', 'repeated', 'forged', 'far on'] as const;
export type Shown = (typeof SHOWN)[number];
/** What a relay does with a record that a device hands in. */
export const TAKEN = ['taken', 'lost on the way', 'answer lost', 'refused', 'taken and refused'] as const;
export type Taken = (typeof TAKEN)[number];

interface SealingRelayOptions {
  readonly device: Device;
  /** Whose key signs what the relay makes up. */
  readonly liar: SeededDevice;
  readonly times: SealingTimes;
  now(): number;
}

const KEPT = 4;

/** The relay's half of sealing records for one device: as docs/spec/directory-service.md has it, or not. */
export class SealingRelay {
  shown: Shown = 'all';
  taken: Taken = 'taken';
  /** Every record that the relay has taken, oldest first. */
  readonly records: SealingRecord[];
  readonly #options: SealingRelayOptions;
  readonly #wires: Uint8Array[] = [];

  constructor(options: SealingRelayOptions) {
    this.#options = options;
    const { id, sealing } = options.device;
    this.records = [{ device: id, ...sealing }];
  }

  /** @throws ClientError as the client's `RelayApi` does */
  async post(wire: Uint8Array): Promise<void> {
    if (this.taken === 'refused') throw refused();
    if (this.taken !== 'lost on the way') this.#take(wire);
    if (this.taken === 'taken and refused') throw refused();
    if (this.taken !== 'taken') throw new ClientError('offline', 'no answer');
  }

  list(after: number): SealingRecordsBody {
    const { device, times } = this.#options;
    const all = this.#wires.map((record, i) => ({ device: device.id, record, seq: i + 1 }));
    const kept = all.slice(-KEPT).filter(({ seq }) => seq > after);
    const next = Math.max(after, all.length);
    const page = (records: typeof all, to = next) => ({ records, next: to, more: false });
    switch (this.shown) {
      case 'all':
        return page(kept);
      case 'none':
        return page([], after);
      case 'old ones':
        return page(all.slice(0, -2));
      case 'backwards':
        return page(kept.toReversed());
      case 'repeated':
        return page([...all, ...all]);
      case 'far on':
        return page([], next + 1000);
      case 'forged': {
        const last = this.records[this.records.length - 1] as SealingRecord;
        const record = { ...last, notBeforeMs: last.notAfterMs, notAfterMs: last.notAfterMs + times.blockMs };
        const { publicKey } = primitives.decapsulator(new Uint8Array(32).fill(all.length + 1));
        const wire = createSealingRecord(primitives, this.#options.liar.signer, { ...record, publicKey });
        return page([{ device: device.id, record: wire, seq: next }, ...kept]);
      }
    }
  }

  /** What an author chooses who knows everything. */
  choiceAt(atMs: number): SealingChoice {
    return sealingRecordAt(this.records as [SealingRecord], atMs, this.#options.times);
  }

  #take(wire: Uint8Array): void {
    if (this.#wires.slice(-KEPT).some((kept) => equalBytes(kept, wire))) return;
    const { device, times, now } = this.#options;
    try {
      const record = verifySealingRecord(primitives, primitives.verifier(device.signingPublicKey), wire);
      requireNextSealingRecord(this.records, record, now(), times);
      this.records.push(parseSealingRecord(wire));
      this.#wires.push(wire);
    } catch (error) {
      throw error instanceof CryptoError ? refused() : error;
    }
  }
}

function refused(): ClientError {
  return new ClientError('relay-refused', 'refused', { relayCode: 'record-refused' });
}
