import {
  groupDecrypt,
  groupEncrypt,
  processSenderKeyDistributionMessage,
  ProtocolAddress,
  SenderKeyDistributionMessage,
} from '@signalapp/libsignal-client';
import type { Group, Messenger } from '../src/crypto/messenger.ts';
import { SenderKeys } from './libsignal-stores.ts';

const DISTRIBUTION = 'd1d1d1d1-7000-11eb-b32a-33b8a8a487a6';

interface Sealed {
  readonly sender: number;
  readonly message: Uint8Array<ArrayBuffer>;
}

/** Signal's group cipher: AES-256-CBC, and an XEdDSA signature on each message. */
const libsignalSenderKey: Messenger<Sealed> = {
  name: 'libsignal sender key',
  async makeGroup(senders) {
    const established = new SenderKeys();
    const sending: { readonly address: ProtocolAddress; readonly keys: SenderKeys }[] = [];
    for (let index = 0; index < senders; index += 1) {
      const sender = { address: ProtocolAddress.new(`sender-${index}`, 1), keys: new SenderKeys() };
      const { address, keys } = sender;
      const distribution = await SenderKeyDistributionMessage.create(address, DISTRIBUTION, keys);
      await processSenderKeyDistributionMessage(address, distribution, established);
      sending.push(sender);
    }
    return {
      async seal(sender, { bytes }) {
        const { address, keys } = sending[sender] as (typeof sending)[number];
        const sealed = await groupEncrypt(address, DISTRIBUTION, keys, bytes);
        return { sender, message: sealed.serialize() };
      },
      reader() {
        const keys = established.copy();
        const open = ({ sender, message }: Sealed) =>
          groupDecrypt((sending[sender] as (typeof sending)[number]).address, keys, message);
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

export default libsignalSenderKey;
