import { SignalMessage, signalDecrypt, signalEncrypt } from '@signalapp/libsignal-client';
import type { Group, Messenger } from '../src/crypto/messenger.ts';
import { Party } from './libsignal-stores.ts';

interface Sealed {
  readonly sender: number;
  readonly message: Uint8Array<ArrayBuffer>;
}

/** Signal's sessions between two: triple ratchet, AES-256-CBC and HMAC; for one receiver, and not signed. */
const libsignalSession: Messenger<Sealed> = {
  name: 'libsignal session (for one, unsigned)',
  async makeGroup(senders) {
    const receiver = new Party('receiver');
    const parties: Party[] = [];
    for (let index = 0; index < senders; index += 1) {
      const party = new Party(`sender-${index}`);
      await party.meet(receiver);
      parties.push(party);
    }
    const established = receiver.sessions.copy();
    return {
      async seal(sender, { bytes }) {
        const { address, sessions, identity } = parties[sender] as Party;
        const sealed = await signalEncrypt(bytes, receiver.address, address, sessions, identity);
        return { sender, message: sealed.serialize() };
      },
      reader() {
        const sessions = established.copy();
        const open = ({ sender, message }: Sealed) => {
          const { address } = parties[sender] as Party;
          const parsed = SignalMessage.deserialize(message);
          return signalDecrypt(parsed, address, receiver.address, sessions, receiver.identity);
        };
        return {
          open,
          async openAll(backlog) {
            const opened: Uint8Array[] = [];
            for (const sealed of backlog) opened.push(await open(sealed));
            return opened;
          },
        };
      },
    } satisfies Group<Sealed>;
  },
};

export default libsignalSession;
