import { SignalMessage, signalDecrypt, signalEncrypt } from '@signalapp/libsignal-client';
import type { FanOut } from '../src/crypto/fresh-key.ts';
import { Party } from './libsignal-stores.ts';

/** A fresh key in 1,000 established sessions (PQXDH, triple ratchet): one short message each. */
const libsignalFanOut: FanOut = {
  async prepare(devices) {
    const sender = new Party('sender');
    const others = Array.from({ length: devices }, (_, index) => new Party(`device-${index}`));
    for (const other of others) await sender.meet(other);
    const { address, sessions, identity } = sender;
    return {
      name: 'libsignal, established sessions',
      async round(time) {
        const key = crypto.getRandomValues(new Uint8Array(32));
        const sealed = await time(async () => {
          const messages: Uint8Array<ArrayBuffer>[] = [];
          for (const other of others)
            messages.push((await signalEncrypt(key, other.address, address, sessions, identity)).serialize());
          return messages;
        });
        const last = others.at(-1) as Party;
        const message = SignalMessage.deserialize(sealed.at(-1) as Uint8Array<ArrayBuffer>);
        const opened = await signalDecrypt(message, address, last.address, last.sessions, last.identity);
        if (Buffer.compare(opened, key) !== 0) throw new Error('a device has another key');
      },
    };
  },
};

export default libsignalFanOut;
