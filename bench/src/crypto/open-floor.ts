import { createPublicKey, verify } from 'node:crypto';
import { createRequire } from 'node:module';
import { labelled, readUint64, unpad, type DeviceId } from '@keytide/crypto-core';
import { nodePrimitives, nodeRandom } from '@keytide/crypto-core/node';
import type { Contestant } from '../contest.ts';
import { makeSealer, makeWorld } from './world.ts';
import { makePayloads } from './messenger.ts';

/** Where the parts of an envelope start, docs/spec/envelope.md. */
const [SALT, ROUTING, SEALED] = [46, 62, 86];
const ZERO_NONCE = new Uint8Array(12);

export const OPEN_FLOOR = 'floor: one Ed25519 verification, one AEAD';

/**
 * The least that opening a signed message can cost: on the very bytes of an envelope, one AEAD (libsodium, faster
 * at this size than node:crypto) and one Ed25519 verification (node:crypto), with all keys at hand.
 */
export async function openFloor(n: number): Promise<Contestant> {
  const sodium = createRequire(import.meta.url)('libsodium-wrappers') as typeof import('libsodium-wrappers');
  await sodium.ready;
  const world = await makeWorld(nodePrimitives, nodeRandom, 2);
  const keys = world.openEpoch();
  const sender = world.devices[1] as (typeof world.devices)[number];
  const seal = makeSealer(world, sender);
  const raw = Buffer.from(sender.verifier.publicKey);
  const publicKey = createPublicKey({ key: raw, format: 'raw-public', asymmetricKeyType: 'ed25519' });
  const parts = makePayloads(n).map((payload) => takeApart(keys, sender.id, seal(payload)));
  return {
    name: OPEN_FLOOR,
    async round(time) {
      const valid = await time(() => {
        let count = 0;
        for (const { key, header, data, signed, signature } of parts) {
          sodium.crypto_aead_chacha20poly1305_ietf_decrypt(null, data, header, ZERO_NONCE, key);
          if (verify(null, signed, publicKey, signature)) count += 1;
        }
        return count;
      });
      if (valid !== n) throw new Error('a signature of the floor is wrong');
    },
  };
}

type Keys = ReturnType<Awaited<ReturnType<typeof makeWorld>>['openEpoch']>;

/** What the two primitives need, worked out beforehand. */
function takeApart(keys: Keys, device: DeviceId, envelope: Uint8Array) {
  const routing = keys.maskRouting(envelope.subarray(0, ROUTING), envelope.subarray(ROUTING, SEALED));
  const sender = keys.senderOf(device);
  const counter = readUint64(routing, 16);
  if (sender === null || counter === null) throw new Error('not an envelope of this world');
  const place = { channel: routing.subarray(0, 16), sender, counter, salt: envelope.subarray(SALT, ROUTING) };
  const [header, data] = [envelope.slice(0, SEALED), envelope.slice(SEALED)];
  const key = keys.messageKey(place);
  const content = unpad(nodePrimitives.aeadOpen({ key, nonce: ZERO_NONCE, associated: header, data }));
  const signed = labelled('messageSignature', keys.messageDigest(place, content.subarray(64)));
  return { key, header, data, signed, signature: content.slice(0, 64) };
}
