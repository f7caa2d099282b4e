import {
  KEMKeyPair,
  KyberPreKeyRecord,
  PreKeyRecord,
  PrivateKey,
  SignedPreKeyRecord,
} from '@signalapp/libsignal-client';
import type { PairwiseEndpoint } from '../pairwise/endpoint.ts';
import { createBundle, createOneTimePreKey } from './bundle.ts';
import { localIdentity, type LocalIdentity } from './identity.ts';
import { kyberPreKeyName, PRE_KEYS, preKeyName, RENEWAL, signedPreKeyName } from './names.ts';
import { ownBytes } from './own-bytes.ts';
import { BUNDLE_VALID_MS, planPreKeys } from './plan.ts';
import { putSignedAway, readStock, writeStock } from './stock.ts';
import { transaction, type Transaction } from './transaction.ts';

/** What the relay is given to hand out. Public, and signed by the device. */
export interface PublishedPreKeys {
  /** Replaces the one before. */
  readonly bundle: Uint8Array;
  /** To add to what is left; each for one session, with the bundle of that moment. */
  readonly oneTime: readonly Uint8Array[];
  /** The relay has to drop what it has left: this device may not have the secrets any more. */
  readonly replacesAll: boolean;
}

/** Whether there is anything for `preparePreKeys` to make. @throws CryptoError `malformed` for a damaged store */
export function arePreKeysDue(
  { store, random, inTurn }: PairwiseEndpoint,
  published: number,
  nowMs: number,
): Promise<boolean> {
  return inTurn(async () => {
    const tx = transaction(store);
    if ((await tx.get(RENEWAL)) !== null) return true;
    const { signed, oneTime } = planPreKeys(
      { ...(await readStock(tx, random)), oneTime: [] },
      published,
      nowMs,
    );
    return signed !== null || oneTime.length > 0;
  });
}

/**
 * Makes the pre-keys that are due, and a bundle that says so; the secrets are durable when it resolves. A bundle
 * that never reaches the relay does no harm.
 * @param published how many one-time pairs the relay has left of this device
 * @throws CryptoError `malformed` for a damaged store; whatever the store throws
 */
export function preparePreKeys(
  endpoint: PairwiseEndpoint,
  published: number,
  nowMs: number,
): Promise<PublishedPreKeys> {
  const { primitives, signer, store, org, device, random } = endpoint;
  const owner = { org, device };
  return endpoint.inTurn(async () => {
    const tx = transaction(store);
    const local = await localIdentity(tx, random);
    const stored = await readStock(tx, random);
    const replacesAll = stored.bundleMs === 0 || (await tx.get(RENEWAL)) !== null;
    tx.put(RENEWAL, null);
    const oneTimeIds = (await store.names(PRE_KEYS)).map((name) => Number(name.slice(PRE_KEYS.length)));
    const plan = planPreKeys({ ...stored, oneTime: oneTimeIds }, replacesAll ? 0 : published, nowMs);

    const oneTime = plan.oneTime.map((id) =>
      createOneTimePreKey(primitives, signer, owner, makeOneTimePreKey(tx, local, id, nowMs)),
    );
    if (plan.signed !== null) makeSignedPreKey(tx, local, plan.signed, nowMs);
    for (const id of plan.forgetOneTime) {
      tx.put(preKeyName(id), null);
      tx.put(kyberPreKeyName(id), null);
    }
    for (const id of plan.forgetSigned) await putSignedAway(tx, store, id);
    const signed = [
      ...stored.signed.filter(({ id }) => !plan.forgetSigned.includes(id)),
      ...(plan.signed === null ? [] : [{ id: plan.signed, createdMs: nowMs }]),
    ];
    const bundleMs = Math.max(stored.bundleMs + 1, nowMs);
    const newestId = signed[signed.length - 1]?.id as number;
    const bundle = createBundle(primitives, signer, owner, {
      createdMs: bundleMs,
      notAfterMs: bundleMs + BUNDLE_VALID_MS,
      registrationId: local.registrationId,
      identityKey: local.keyPair.publicKey.serialize(),
      ...(await publicHalf(tx, newestId)),
    });
    writeStock(tx, { nextId: plan.nextId, bundleMs, signed });
    await store.write(tx.changes());
    return { bundle, oneTime, replacesAll };
  });
}

function makeOneTimePreKey(tx: Transaction, local: LocalIdentity, id: number, nowMs: number) {
  const secret = PrivateKey.generate();
  tx.put(preKeyName(id), PreKeyRecord.new(id, secret.getPublicKey(), secret).serialize());
  const kyber = makeKyberPreKey(tx, local, id, nowMs);
  return {
    id,
    preKey: secret.getPublicKey().serialize(),
    kyberPreKey: kyber.publicKey().serialize(),
    kyberPreKeySignature: kyber.signature(),
  };
}

/** A signed pre-key, and a Kyber pre-key of last resort with the same id. */
function makeSignedPreKey(tx: Transaction, local: LocalIdentity, id: number, nowMs: number): void {
  const secret = PrivateKey.generate();
  const publicKey = secret.getPublicKey();
  const signature = local.keyPair.privateKey.sign(publicKey.serialize());
  const record = SignedPreKeyRecord.new(id, nowMs, publicKey, secret, signature);
  tx.put(signedPreKeyName(id), record.serialize());
  makeKyberPreKey(tx, local, id, nowMs);
}

function makeKyberPreKey(
  tx: Transaction,
  local: LocalIdentity,
  id: number,
  nowMs: number,
): KyberPreKeyRecord {
  const keyPair = KEMKeyPair.generate();
  const signature = local.keyPair.privateKey.sign(keyPair.getPublicKey().serialize());
  const record = KyberPreKeyRecord.new(id, nowMs, keyPair, signature);
  tx.put(kyberPreKeyName(id), record.serialize());
  return record;
}

/** The public half of the signed pre-key with this id, and of the Kyber pre-key of last resort that came with it. */
async function publicHalf(tx: Transaction, id: number) {
  const stored = [await tx.get(signedPreKeyName(id)), await tx.get(kyberPreKeyName(id))] as [
    Uint8Array,
    Uint8Array,
  ];
  const signed = SignedPreKeyRecord.deserialize(ownBytes(stored[0]));
  const kyber = KyberPreKeyRecord.deserialize(ownBytes(stored[1]));
  return {
    id,
    signedPreKey: signed.publicKey().serialize(),
    signedPreKeySignature: signed.signature(),
    kyberPreKey: kyber.publicKey().serialize(),
    kyberPreKeySignature: kyber.signature(),
  };
}
