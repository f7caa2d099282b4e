import {
  IdentityChange,
  IdentityKeyPair,
  IdentityKeyStore,
  KEMKeyPair,
  KyberPreKeyRecord,
  KyberPreKeyStore,
  PreKeyBundle,
  PreKeyRecord,
  PreKeyStore,
  PreKeySignalMessage,
  PrivateKey,
  processPreKeyBundle,
  ProtocolAddress,
  SenderKeyStore,
  SessionStore,
  SignalMessage,
  signalDecrypt,
  signalDecryptPreKey,
  signalEncrypt,
  SignedPreKeyRecord,
  SignedPreKeyStore,
  type PublicKey,
  type SenderKeyRecord,
  type SessionRecord,
} from '@signalapp/libsignal-client';

/** Sessions in memory, by address. */
export class Sessions extends SessionStore {
  readonly #records: Map<string, SessionRecord>;

  constructor(records: Iterable<readonly [string, SessionRecord]> = []) {
    super();
    this.#records = new Map(records);
  }

  saveSession = async (name: ProtocolAddress, record: SessionRecord): Promise<void> =>
    void this.#records.set(name.toString(), record);
  getSession = async (name: ProtocolAddress): Promise<SessionRecord | null> =>
    this.#records.get(name.toString()) ?? null;
  getExistingSessions = async (): Promise<SessionRecord[]> => [...this.#records.values()];

  /** Records are replaced and never changed, so a copy of the list is a copy of the state. */
  copy = (): Sessions => new Sessions(this.#records);
}

/** Sender keys in memory; one distribution each. */
export class SenderKeys extends SenderKeyStore {
  readonly #records: Map<string, SenderKeyRecord>;

  constructor(records: Iterable<readonly [string, SenderKeyRecord]> = []) {
    super();
    this.#records = new Map(records);
  }

  saveSenderKey = async (sender: ProtocolAddress, _id: string, record: SenderKeyRecord): Promise<void> =>
    void this.#records.set(sender.toString(), record);
  getSenderKey = async (sender: ProtocolAddress): Promise<SenderKeyRecord | null> =>
    this.#records.get(sender.toString()) ?? null;

  copy = (): SenderKeys => new SenderKeys(this.#records);
}

class Identity extends IdentityKeyStore {
  readonly pair: IdentityKeyPair = IdentityKeyPair.generate();
  readonly #known = new Map<string, PublicKey>();

  getIdentityKey = async (): Promise<PrivateKey> => this.pair.privateKey;
  getLocalRegistrationId = async (): Promise<number> => 1;
  saveIdentity = async (name: ProtocolAddress, key: PublicKey): Promise<IdentityChange> => {
    this.#known.set(name.toString(), key);
    return IdentityChange.NewOrUnchanged;
  };
  isTrustedIdentity = async (): Promise<boolean> => true;
  getIdentity = async (name: ProtocolAddress): Promise<PublicKey | null> =>
    this.#known.get(name.toString()) ?? null;
}

class PreKeys extends PreKeyStore {
  readonly record: PreKeyRecord = newPreKey();
  savePreKey = async (): Promise<void> => {};
  getPreKey = async (): Promise<PreKeyRecord> => this.record;
  removePreKey = async (): Promise<void> => {};
}

class SignedPreKeys extends SignedPreKeyStore {
  readonly record: SignedPreKeyRecord;
  constructor(identity: IdentityKeyPair) {
    super();
    const secret = PrivateKey.generate();
    const signature = identity.privateKey.sign(secret.getPublicKey().serialize());
    this.record = SignedPreKeyRecord.new(1, 0, secret.getPublicKey(), secret, signature);
  }
  saveSignedPreKey = async (): Promise<void> => {};
  getSignedPreKey = async (): Promise<SignedPreKeyRecord> => this.record;
}

class KyberPreKeys extends KyberPreKeyStore {
  readonly record: KyberPreKeyRecord;
  constructor(identity: IdentityKeyPair) {
    super();
    const pair = KEMKeyPair.generate();
    const signature = identity.privateKey.sign(pair.getPublicKey().serialize());
    this.record = KyberPreKeyRecord.new(1, 0, pair, signature);
  }
  saveKyberPreKey = async (): Promise<void> => {};
  getKyberPreKey = async (): Promise<KyberPreKeyRecord> => this.record;
  markKyberPreKeyUsed = async (): Promise<void> => {};
}

/** One device of libsignal, with everything in memory. */
export class Party {
  readonly address: ProtocolAddress;
  readonly sessions = new Sessions();
  readonly identity = new Identity();
  readonly #preKeys = new PreKeys();
  readonly #signedPreKeys: SignedPreKeys = new SignedPreKeys(this.identity.pair);
  readonly #kyberPreKeys: KyberPreKeys = new KyberPreKeys(this.identity.pair);

  constructor(name: string) {
    this.address = ProtocolAddress.new(name, 1);
  }

  /** Establishes a session (PQXDH) and answers once, so that neither side sends pre-key messages any more. */
  async meet(other: Party): Promise<void> {
    const [own, theirs] = [this.address, other.address];
    await processPreKeyBundle(other.#bundle(), theirs, own, this.sessions, this.identity);
    const hello = await signalEncrypt(GREETING, theirs, own, this.sessions, this.identity);
    await signalDecryptPreKey(
      PreKeySignalMessage.deserialize(hello.serialize()),
      own,
      theirs,
      other.sessions,
      other.identity,
      other.#preKeys,
      other.#signedPreKeys,
      other.#kyberPreKeys,
    );
    const answer = await signalEncrypt(GREETING, own, theirs, other.sessions, other.identity);
    const message = SignalMessage.deserialize(answer.serialize());
    await signalDecrypt(message, theirs, own, this.sessions, this.identity);
  }

  #bundle(): PreKeyBundle {
    const [preKey, signed, kyber] = [
      this.#preKeys.record,
      this.#signedPreKeys.record,
      this.#kyberPreKeys.record,
    ];
    return PreKeyBundle.new(
      1,
      1,
      preKey.id(),
      preKey.publicKey(),
      signed.id(),
      signed.publicKey(),
      signed.signature(),
      this.identity.pair.publicKey,
      kyber.id(),
      kyber.publicKey(),
      kyber.signature(),
    );
  }
}

const GREETING = Uint8Array.of(1);

function newPreKey(): PreKeyRecord {
  const secret = PrivateKey.generate();
  return PreKeyRecord.new(1, secret.getPublicKey(), secret);
}
