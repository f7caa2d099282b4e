import {
  CiphertextMessageType,
  ErrorCode,
  KEMPublicKey,
  LibSignalErrorBase,
  PreKeyBundle,
  PreKeySignalMessage,
  processPreKeyBundle,
  ProtocolAddress,
  PublicKey,
  signalDecrypt,
  signalDecryptPreKey,
  signalEncrypt,
  SignalMessage,
} from '@signalapp/libsignal-client';
import { CryptoError } from '../errors.ts';
import type { DeviceId } from '../ids.ts';
import type { OneTimePreKeyFields, PreKeyBundleFields } from './bundle.ts';
import type { LocalIdentity } from './identity.ts';
import { peerIdentityName } from './names.ts';
import { ownBytes } from './own-bytes.ts';
import { signalStores, type SignalStores } from './stores.ts';
import type { Transaction } from './transaction.ts';

/** Organisations number devices by their ids; libsignal wants a number as well. */
const DEVICE_NUMBER = 1;

/** The session of this device with one peer, within one transaction. */
export interface Session {
  readonly tx: Transaction;
  readonly stores: SignalStores;
  readonly own: ProtocolAddress;
  readonly peer: ProtocolAddress;
  readonly peerId: DeviceId;
  readonly now: Date;
}

export function sessionIn(
  tx: Transaction,
  local: LocalIdentity,
  pair: { readonly own: DeviceId; readonly peer: DeviceId },
  nowMs: number,
): Session {
  return {
    tx,
    stores: signalStores(tx, local, pair.peer),
    own: ProtocolAddress.new(pair.own, DEVICE_NUMBER),
    peer: ProtocolAddress.new(pair.peer, DEVICE_NUMBER),
    peerId: pair.peer,
    now: new Date(nowMs),
  };
}

/** Whether something can be sealed without a bundle of the peer's. */
export async function isUsable(session: Session): Promise<boolean> {
  const record = await session.stores.sessions.getSession(session.peer);
  return record !== null && record.hasCurrentState(session.now);
}

/** Seals no more in the current session; what is on its way in it can still be opened. */
export async function archiveSession(session: Session): Promise<void> {
  const record = await session.stores.sessions.getSession(session.peer);
  if (record === null) return;
  record.archiveCurrentState();
  await session.stores.sessions.saveSession(session.peer, record);
}

/**
 * Starts a session with pre-keys that have been verified (PQXDH).
 * @throws CryptoError `bad-key` for what is no key, `bad-signature` for keys that their identity has not signed
 */
export async function startSession(
  session: Session,
  bundle: PreKeyBundleFields,
  oneTime: OneTimePreKeyFields | null,
): Promise<void> {
  const offered = signalBundle(bundle, oneTime);
  session.tx.put(peerIdentityName(session.peerId), offered.identityKey().serialize());
  const { sessions, identities } = session.stores;
  try {
    await processPreKeyBundle(offered, session.peer, session.own, sessions, identities, session.now);
  } catch (cause) {
    session.tx.throwFailure();
    throw new CryptoError('bad-signature', 'pre-keys that their identity key has not signed', { cause });
  }
}

/** The form of libsignal. The device has signed these bytes, which does not make them keys. @throws CryptoError `bad-key` */
function signalBundle(bundle: PreKeyBundleFields, oneTime: OneTimePreKeyFields | null): PreKeyBundle {
  const kyber = oneTime ?? bundle;
  try {
    return PreKeyBundle.new(
      bundle.registrationId,
      DEVICE_NUMBER,
      oneTime === null ? null : oneTime.id,
      oneTime === null ? null : PublicKey.deserialize(ownBytes(oneTime.preKey)),
      bundle.id,
      PublicKey.deserialize(ownBytes(bundle.signedPreKey)),
      ownBytes(bundle.signedPreKeySignature),
      PublicKey.deserialize(ownBytes(bundle.identityKey)),
      kyber.id,
      KEMPublicKey.deserialize(ownBytes(kyber.kyberPreKey)),
      ownBytes(kyber.kyberPreKeySignature),
    );
  } catch (cause) {
    throw new CryptoError('bad-key', 'pre-keys that are no keys', { cause });
  }
}

/** A libsignal message, and which of its two kinds. */
export interface SessionMessage {
  readonly kind: 'session' | 'session-start';
  readonly bytes: Uint8Array;
}

/** Needs a usable session. */
export async function encryptInSession(session: Session, content: Uint8Array): Promise<SessionMessage> {
  const { sessions, identities } = session.stores;
  const message = await inSession(session, () =>
    signalEncrypt(ownBytes(content), session.peer, session.own, sessions, identities, session.now),
  );
  const kind = message.type() === CiphertextMessageType.PreKey ? 'session-start' : 'session';
  return { kind, bytes: message.serialize() };
}

/**
 * Opens what the peer's device has signed.
 * @throws CryptoError `replayed` (the message key, or this start of a session, was used before), `session-lost` (anything else that libsignal refuses)
 */
export function decryptInSession(session: Session, message: SessionMessage): Promise<Uint8Array> {
  const { sessions, identities, preKeys, signedPreKeys, kyberPreKeys } = session.stores;
  const { peer, own } = session;
  return inSession(session, () =>
    message.kind === 'session'
      ? signalDecrypt(SignalMessage.deserialize(ownBytes(message.bytes)), peer, own, sessions, identities)
      : signalDecryptPreKey(
          PreKeySignalMessage.deserialize(ownBytes(message.bytes)),
          peer,
          own,
          sessions,
          identities,
          preKeys,
          signedPreKeys,
          kyberPreKeys,
        ),
  );
}

async function inSession<T>(session: Session, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    session.tx.throwFailure();
    if (LibSignalErrorBase.is(cause, ErrorCode.DuplicatedMessage))
      throw new CryptoError('replayed', 'the key of this message was used before');
    if (cause instanceof LibSignalErrorBase || cause instanceof CryptoError)
      throw new CryptoError('session-lost', 'no session here opens this message');
    throw cause;
  }
}
