import {
  acceptMessage,
  openMessage,
  unsealMessage,
  verifyRuns,
  type DeviceId,
  type EpochKeys,
  type OpenedMessage,
  type SenderHead,
} from '@keytide/crypto-core';
import type { Reader } from './messenger.ts';

/** A receiver that has read nothing, and keeps each sender's chain as a client does. Runs on every runtime. */
export function makeReader(keys: EpochKeys): Reader<Uint8Array> {
  const heads = new Map<DeviceId, SenderHead>();
  const take = (message: OpenedMessage): Uint8Array => {
    const { head, missing } = acceptMessage(heads.get(message.sender) ?? null, message);
    if (missing !== null) throw new Error('messages are missing');
    heads.set(message.sender, head);
    return message.payload;
  };
  return {
    open: (envelope) => take(openMessage(keys, envelope)),
    openAll: (backlog) =>
      verifyRuns(backlog.map((envelope) => unsealMessage(keys, envelope))).map((verdict) => {
        if (typeof verdict === 'string') throw new Error(verdict);
        return take(verdict);
      }),
  };
}
