import {
  deviceIdOf,
  fromHex,
  openEpoch,
  Secret,
  type EpochKeys,
  type GroupId,
  type OrgId,
  type Primitives,
} from '@keytide/crypto-core';
import type { Contestant } from '../contest.ts';
import { checkOpened, makePayloads } from './messenger.ts';
import { makeReader } from './reader.ts';

/** An epoch and its messages as JSON; bytes in hex. */
export interface HandedOver {
  readonly org: OrgId;
  readonly group: GroupId;
  readonly epoch: number;
  readonly hash: string;
  readonly keyCommitment: string;
  readonly key: string;
  readonly signingKeys: readonly string[];
  readonly envelopes: readonly string[];
}

/** Opens the whole backlog with this provider; `messages` of it one by one. Runs on every runtime. */
export function receivers(primitives: Primitives, given: HandedOver) {
  const keys = keysOf(primitives, given);
  const envelopes = given.envelopes.map(readHex);
  const payloads = makePayloads(envelopes.length);
  return {
    backlog: (name: string): Contestant => ({
      name,
      round: async (time) => checkOpened(await time(() => makeReader(keys).openAll(envelopes)), payloads),
    }),
    oneByOne: (name: string, messages: number): Contestant => ({
      name,
      async round(time) {
        const { open } = makeReader(keys);
        const opened = await time(() => envelopes.slice(0, messages).map((envelope) => open(envelope)));
        checkOpened(await Promise.all(opened), payloads.slice(0, messages));
      },
    }),
  };
}

function keysOf(primitives: Primitives, { org, group, epoch, ...given }: HandedOver): EpochKeys {
  return openEpoch({
    primitives,
    statement: { org, group, epoch, hash: readHex(given.hash), keyCommitment: readHex(given.keyCommitment) },
    key: Secret.own(readHex(given.key)),
    devices: given.signingKeys.map((hex) => {
      const publicKey = readHex(hex);
      return { device: deviceIdOf(primitives, publicKey), verifier: primitives.verifier(publicKey) };
    }),
  });
}

function readHex(hex: string): Uint8Array {
  const bytes = fromHex(hex);
  if (bytes === null) throw new Error('not hex');
  return bytes;
}
