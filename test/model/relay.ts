import type { DeviceId, EpochBox } from '@keytide/crypto-core';
import type { EpochModel, LogNode, Span } from './epoch-model.ts';

/** A statement with its boxes, as the relay keeps them. */
export interface Announced {
  readonly kind: 'statement';
  readonly bytes: Uint8Array;
  readonly boxes: readonly EpochBox[];
  readonly epoch: EpochModel;
}

/** A message, and what was true of its sender when it was sealed. */
export interface Said {
  readonly kind: 'envelope';
  readonly bytes: Uint8Array;
  readonly sender: string;
  readonly text: string;
  readonly log: LogNode;
  readonly under: Announced;
}

/** A sealing key after the first that a phone has published. */
export interface Published extends Span {
  readonly phone: string;
  readonly device: DeviceId;
  readonly publicKey: Uint8Array;
  readonly wire: Uint8Array;
}

/** What the relay shows to some of the phones. With two of these it lies to one half. */
export interface Side {
  readonly name: string;
  wires: Uint8Array[];
  log: LogNode;
  readonly group: (Announced | Said)[];
  readonly records: Published[];
}

/** Another side that is the same so far. */
export function copyOf(side: Side, name: string): Side {
  const { wires, log, group, records } = side;
  return { name, wires: [...wires], log, group: [...group], records: [...records] };
}
