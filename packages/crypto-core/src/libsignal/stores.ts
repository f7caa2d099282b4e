import {
  Direction,
  IdentityChange,
  KyberPreKeyRecord,
  PreKeyRecord,
  SessionRecord,
  SignedPreKeyRecord,
  type IdentityKeyStore,
  type KyberPreKeyStore,
  type PreKeyStore,
  type SessionStore,
  type SignedPreKeyStore,
} from '@signalapp/libsignal-client';
import { equalBytes, toHex } from '../bytes.ts';
import { CryptoError } from '../errors.ts';
import type { DeviceId } from '../ids.ts';
import type { LocalIdentity } from './identity.ts';
import {
  kyberPreKeyName,
  kyberUsesPrefix,
  peerIdentityName,
  preKeyName,
  sessionName,
  signedPreKeyName,
} from './names.ts';
import { ownBytes } from './own-bytes.ts';
import type { Transaction } from './transaction.ts';

/** What libsignal keeps, for talking to one peer, all of it in one transaction. */
export interface SignalStores {
  readonly sessions: SessionStore;
  readonly identities: IdentityKeyStore;
  readonly preKeys: PreKeyStore;
  readonly signedPreKeys: SignedPreKeyStore;
  readonly kyberPreKeys: KyberPreKeyStore;
}

export function signalStores(tx: Transaction, local: LocalIdentity, peer: DeviceId): SignalStores {
  return {
    sessions: sessionStore(tx, peer),
    identities: identityStore(tx, local, peer),
    preKeys: {
      async savePreKey(id, record) {
        tx.put(preKeyName(id), record.serialize());
      },
      getPreKey: async (id) => PreKeyRecord.deserialize(await needed(tx, preKeyName(id))),
      async removePreKey(id) {
        tx.put(preKeyName(id), null);
      },
    },
    signedPreKeys: {
      async saveSignedPreKey(id, record) {
        tx.put(signedPreKeyName(id), record.serialize());
      },
      getSignedPreKey: async (id) => SignedPreKeyRecord.deserialize(await needed(tx, signedPreKeyName(id))),
    },
    kyberPreKeys: kyberPreKeyStore(tx),
  };
}

function sessionStore(tx: Transaction, peer: DeviceId): SessionStore {
  const getSession = async (): Promise<SessionRecord | null> => {
    const stored = await tx.get(sessionName(peer));
    return stored === null ? null : SessionRecord.deserialize(ownBytes(stored));
  };
  return {
    async saveSession(_address, record) {
      tx.put(sessionName(peer), record.serialize());
    },
    getSession,
    async getExistingSessions() {
      const session = await getSession();
      return session === null ? [] : [session];
    },
  };
}

/**
 * A peer's identity key is believed when the peer's device has signed it: in the bundle, before a session is
 * started with it, or around the message that brings it. So only sending compares with what is stored.
 */
function identityStore(tx: Transaction, local: LocalIdentity, peer: DeviceId): IdentityKeyStore {
  const name = peerIdentityName(peer);
  return {
    getIdentityKey: async () => local.keyPair.privateKey,
    getIdentityKeyPair: async () => local.keyPair,
    getLocalRegistrationId: async () => local.registrationId,
    async saveIdentity(_address, key) {
      const stored = await tx.get(name);
      const bytes = key.serialize();
      tx.put(name, bytes);
      return stored === null || equalBytes(stored, bytes)
        ? IdentityChange.NewOrUnchanged
        : IdentityChange.ReplacedExisting;
    },
    async isTrustedIdentity(_address, key, direction) {
      if (direction === Direction.Receiving) return true;
      const stored = await tx.get(name);
      return stored !== null && equalBytes(stored, key.serialize());
    },
    // libsignal's own reading; nothing of ours asks for it.
    getIdentity: async () => null,
  };
}

/** A Kyber pre-key that comes with a one-time pre-key works once; one of last resort once for each key that uses it. */
function kyberPreKeyStore(tx: Transaction): KyberPreKeyStore {
  return {
    async saveKyberPreKey(id, record) {
      tx.put(kyberPreKeyName(id), record.serialize());
    },
    getKyberPreKey: async (id) => KyberPreKeyRecord.deserialize(await needed(tx, kyberPreKeyName(id))),
    async markKyberPreKeyUsed(id, signedPreKeyId, baseKey) {
      // A signed pre-key and the last resort that was made with it share their id.
      if ((await tx.get(signedPreKeyName(id))) === null) return tx.put(kyberPreKeyName(id), null);
      const name = `${kyberUsesPrefix(id)}${signedPreKeyId}/${toHex(baseKey.serialize())}`;
      if ((await tx.get(name)) !== null)
        tx.fail(new CryptoError('replayed', 'this session was started before'));
      tx.put(name, new Uint8Array(0));
    },
  };
}

async function needed(tx: Transaction, name: string): Promise<Uint8Array<ArrayBuffer>> {
  const stored = await tx.get(name);
  // The caller learns `session-lost`, as from every message that libsignal cannot open.
  if (stored === null) throw new CryptoError('session-lost', 'a pre-key that is used up or was never here');
  return ownBytes(stored);
}
