import {
  openMessage,
  parseEnvelopeHeader,
  sealMessage,
  type EpochKeys,
  type SenderHead,
} from '@keytide/crypto-core';
import type { DirectoryReplica } from './directory-replica.ts';
import type { EpochRing, Self } from './epoch-ring.ts';
import type { GroupReplica } from './group-replica.ts';
import type { Outbox, Outgoing } from './outbox.ts';
import type { OwnHead } from './own-head.ts';
import type { Ports } from './ports.ts';

/** A payload and the 16-byte channel it belongs to. */
export interface Draft {
  readonly channel: Uint8Array;
  readonly payload: Uint8Array;
  /** The counter of the message of this device that says this already, and that the log went on without. */
  readonly replaces?: number;
}

interface DraftContext {
  readonly ports: Ports;
  readonly self: Self;
  readonly outbox: Outbox;
  readonly replica: GroupReplica;
  readonly directory: DirectoryReplica;
  readonly ownHead: Pick<OwnHead, 'latest'>;
}

/** Seals drafts as the next messages of this device's chain, with the heads of both logs as they are here. */
export function sealDrafts(context: DraftContext, keys: EpochKeys, drafts: readonly Draft[]): Outgoing[] {
  const { ports, self, outbox, replica, directory, ownHead } = context;
  let last: SenderHead = ownHead.latest([outbox.last, replica.headOf(self.device)]);
  const heads = {
    directory: { size: directory.size, root: directory.rootAt(directory.size) as Uint8Array },
    group: { size: replica.size, root: replica.rootAt(replica.size) as Uint8Array },
  };
  return drafts.map(({ channel, payload, replaces = null }) => {
    const counter: number = last === null ? 0 : last.counter + 1;
    const sealed = sealMessage(keys, {
      signer: self.signer,
      sender: self.device,
      channel,
      counter,
      previousLink: last?.link ?? new Uint8Array(32),
      heads,
      payload,
      random: ports.random,
    });
    last = { counter, link: sealed.link };
    return { messageId: ports.random(16), envelope: sealed.envelope, counter, link: sealed.link, replaces };
  });
}

/** What messages of this device said, as drafts that take their place; those without a key are left out. */
export function draftsAgain(
  epochs: EpochRing,
  outgoing: readonly Outgoing[],
): (Draft & { replaces: number; epoch: number })[] {
  return outgoing.flatMap(({ envelope, counter }) => {
    const { epoch } = parseEnvelopeHeader(envelope);
    const keys = epochs.keysOf(epoch);
    if (typeof keys === 'string') return [];
    const { channel, payload } = openMessage(keys, envelope);
    return [{ channel, payload, replaces: counter, epoch }];
  });
}
