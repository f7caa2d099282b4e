import Olm from '@matrix-org/olm';
import type { Group, Messenger } from '../src/crypto/messenger.ts';

interface Sealed {
  readonly sender: number;
  readonly message: string;
}

/** Megolm in C, compiled to WebAssembly, without the rest of Matrix: AES-256-CBC, HMAC, Ed25519 on each message. */
const olm: Messenger<Sealed> = {
  name: 'Megolm (olm)',
  async makeGroup(senders) {
    await Olm.init();
    const outbound = Array.from({ length: senders }, () => {
      const session = new Olm.OutboundGroupSession();
      session.create();
      return session;
    });
    const sessionKeys = outbound.map((session) => session.session_key());
    return {
      seal: (sender, { text }) => ({
        sender,
        message: (outbound[sender] as Olm.OutboundGroupSession).encrypt(text),
      }),
      reader() {
        const inbound = sessionKeys.map((key) => {
          const session = new Olm.InboundGroupSession();
          session.create(key);
          return session;
        });
        const open = ({ sender, message }: Sealed) =>
          (inbound[sender] as Olm.InboundGroupSession).decrypt(message).plaintext;
        return {
          open,
          openAll: (backlog) => backlog.map(open),
          close() {
            for (const session of inbound) session.free();
          },
        };
      },
    } satisfies Group<Sealed>;
  },
};

export default olm;
