import {
  createApplicationMessage,
  createCommit,
  createGroup,
  decodeMlsMessage,
  emptyPskIndex,
  encodeMlsMessage,
  joinGroup,
  processPrivateMessage,
  type ClientState,
  type Welcome,
} from 'ts-mls';
import type { Group, Messenger } from '../src/crypto/messenger.ts';
import { additions, makeMembers, openSuite, type Member } from './mls-members.ts';

/** MLS (RFC 9420) in TypeScript over WebCrypto: AES-128-GCM, Ed25519 on each message. */
const mls: Messenger<Uint8Array> = {
  name: 'MLS (ts-mls)',
  async makeGroup(senders) {
    const suite = await openSuite('MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519');
    const [creator, ...others] = (await makeMembers(suite, senders + 1)) as [Member, ...Member[]];
    const empty = await createGroup(
      Uint8Array.of(1),
      creator.publicPackage,
      creator.privatePackage,
      [],
      suite,
    );
    const added = await createCommit(
      { state: empty, cipherSuite: suite },
      { extraProposals: additions(others) },
    );
    const states: ClientState[] = [];
    for (const { publicPackage, privatePackage } of others)
      states.push(
        await joinGroup(
          added.welcome as Welcome,
          publicPackage,
          privatePackage,
          emptyPskIndex,
          suite,
          added.newState.ratchetTree,
        ),
      );
    return {
      async seal(sender, { bytes }) {
        const sealed = await createApplicationMessage(states[sender] as ClientState, bytes, suite);
        states[sender] = sealed.newState;
        const { privateMessage } = sealed;
        return encodeMlsMessage({ version: 'mls10', wireformat: 'mls_private_message', privateMessage });
      },
      reader() {
        // The creator reads. States are never changed, so every reader starts from the same one.
        let state = added.newState;
        const open = async (sealed: Uint8Array): Promise<Uint8Array> => {
          const message = decodeMlsMessage(sealed, 0)?.[0];
          if (message?.wireformat !== 'mls_private_message') throw new Error('not a private message');
          const opened = await processPrivateMessage(state, message.privateMessage, emptyPskIndex, suite);
          state = opened.newState;
          if (opened.kind !== 'applicationMessage') throw new Error('not an application message');
          return opened.message;
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
    } satisfies Group<Uint8Array>;
  },
};

export default mls;
