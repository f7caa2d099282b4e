import type { DeviceId } from './ids.ts';
import type { Verifier } from './primitives.ts';

/** A device that may write in an epoch. */
export interface EpochSender {
  readonly device: DeviceId;
  readonly deviceBytes: Uint8Array;
  /** Opaque, 8 bytes; differs in every epoch. */
  readonly slot: Uint8Array;
  readonly verifier: Verifier;
}

/** The senders of an epoch, by device and by slot. */
export class SenderTable {
  readonly #byDevice: ReadonlyMap<DeviceId, EpochSender>;
  /** By the slot's two halves as numbers, which a Map finds faster than text made for each envelope. */
  readonly #bySlot = new Map<number, Map<number, EpochSender>>();

  constructor(senders: readonly EpochSender[]) {
    this.#byDevice = new Map(senders.map((sender) => [sender.device, sender]));
    for (const sender of senders) {
      const first = word(sender.slot, 0);
      const rest = this.#bySlot.get(first) ?? new Map<number, EpochSender>();
      this.#bySlot.set(first, rest.set(word(sender.slot, 4), sender));
    }
  }

  /** The sender that is this device, or `null`. */
  ofDevice(device: DeviceId): EpochSender | null {
    return this.#byDevice.get(device) ?? null;
  }

  /** The sender whose slot the 8 bytes at `offset` are, or `null`. */
  atSlot(bytes: Uint8Array, offset: number): EpochSender | null {
    return this.#bySlot.get(word(bytes, offset))?.get(word(bytes, offset + 4)) ?? null;
  }
}

function word(bytes: Uint8Array, at: number): number {
  const [a, b, c, d] = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]] as [
    number,
    number,
    number,
    number,
  ];
  return (a << 24) | (b << 16) | (c << 8) | d;
}
