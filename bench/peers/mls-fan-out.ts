import {
  createCommit,
  createGroup,
  emptyPskIndex,
  encodeMlsMessage,
  joinGroup,
  type CiphersuiteName,
  type Welcome,
} from 'ts-mls';
import type { FanOut } from '../src/crypto/fresh-key.ts';
import { additions, makeMembers, openSuite, type Member } from './mls-members.ts';

/** One commit that adds all devices, and the welcome that carries the group's secret to each. */
export function addCommit(name: string, suiteName: CiphersuiteName): FanOut {
  return {
    async prepare(devices) {
      const suite = await openSuite(suiteName);
      const members = await makeMembers(suite, devices + 1);
      const [creator, ...others] = members as [Member, ...Member[]];
      const { publicPackage, privatePackage } = creator;
      const state = await createGroup(Uint8Array.of(1), publicPackage, privatePackage, [], suite);
      const extraProposals = additions(others);
      return {
        name,
        async round(time) {
          const { newState, welcome } = await time(async () => {
            const made = await createCommit({ state, cipherSuite: suite }, { extraProposals });
            const sent = made.welcome as Welcome;
            encodeMlsMessage(made.commit);
            encodeMlsMessage({ version: 'mls10', wireformat: 'mls_welcome', welcome: sent });
            return { newState: made.newState, welcome: sent };
          });
          const last = others.at(-1) as Member;
          const joined = await joinGroup(
            welcome,
            last.publicPackage,
            last.privatePackage,
            emptyPskIndex,
            suite,
            newState.ratchetTree,
          );
          const [own, theirs] = [newState, joined].map(({ keySchedule }) => keySchedule.epochAuthenticator);
          if (Buffer.compare(own as Uint8Array, theirs as Uint8Array) !== 0)
            throw new Error('a device has another key');
        },
      };
    },
  };
}
