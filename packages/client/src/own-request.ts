import {
  createAccessRequest,
  decodeCbor,
  encodeCbor,
  parseAccessRequest,
  Secret,
  toHex,
  type AccessRequest,
  type AccessRequestFields,
  type KeyStore,
  type Primitives,
  type Random,
  type Signer,
} from '@keytide/crypto-core';
import { ClientError } from './errors.ts';

/** This device's request for keys while it waits for an answer. */
export interface OwnRequest {
  /** The request's hash, 64 hexadecimal digits. */
  readonly id: string;
  readonly wire: Uint8Array;
  readonly request: AccessRequest;
  /** Seed of the one-use key, 32 bytes; wiped and deleted with the request. */
  readonly seed: Secret;
  /** Whether the person asked, and not the device by itself. */
  readonly isPersons: boolean;
}

interface OwnRequestsOptions {
  readonly primitives: Primitives;
  readonly random: Random;
  readonly keyStore: KeyStore;
  readonly signer: Signer;
}

const REQUEST = 'access/request';
const REFUSED = 'access/refused';
const MAX_BYTES = 4096;

/** Keeps this device's one outstanding request, with the only secret that opens its answer, and what was refused. */
export class OwnRequests {
  readonly #options: OwnRequestsOptions;
  #current: OwnRequest | null;
  #refusedThrough: number;

  private constructor(options: OwnRequestsOptions, current: OwnRequest | null, refusedThrough: number) {
    this.#options = options;
    this.#current = current;
    this.#refusedThrough = refusedThrough;
  }

  /** Reads what is stored. @throws ClientError `store-damaged` */
  static async open(options: OwnRequestsOptions): Promise<OwnRequests> {
    const stored = await options.keyStore.get(REQUEST);
    const refused = await options.keyStore.get(REFUSED);
    const refusedThrough = refused === null ? 0 : (decodeCbor(refused, 16) as number);
    return new OwnRequests(
      options,
      stored === null ? null : decode(options.primitives, stored),
      refusedThrough,
    );
  }

  /** The request that waits for its answer, or `null`. */
  get current(): OwnRequest | null {
    return this.#current;
  }

  /** The newest epoch that an admin refused to give: the device does not ask for it again by itself. */
  get refusedThrough(): number {
    return this.#refusedThrough;
  }

  /** Makes a request in place of the one there is: durable, and at no relay yet, when this resolves. */
  async make(
    fields: Omit<AccessRequestFields, 'oneUseKey' | 'nonce'>,
    isPersons: boolean,
  ): Promise<OwnRequest> {
    const { primitives, random, signer, keyStore } = this.#options;
    const seed = Secret.own(random(32));
    const oneUseKey = seed.use((bytes) => primitives.decapsulator(bytes).publicKey);
    const wire = createAccessRequest(primitives, signer, { ...fields, oneUseKey, nonce: random(32) });
    const value = seed.use((bytes) => encodeCbor([1, wire, bytes, isPersons]));
    await keyStore.write([{ name: REQUEST, value }]);
    value.fill(0);
    this.#current?.seed.dispose();
    this.#current = named(primitives, { wire, seed, isPersons });
    return this.#current;
  }

  /** Deletes the request and its secret: whatever comes for it from now on opens nothing. */
  async drop(): Promise<void> {
    await this.#drop(this.#refusedThrough);
  }

  /** As `drop`, after an admin's no. */
  async dropRefused(): Promise<void> {
    await this.#drop(Math.max(this.#refusedThrough, this.#current?.request.lastEpoch ?? 0));
  }

  async #drop(refusedThrough: number): Promise<void> {
    const changes = [
      { name: REQUEST, value: null },
      { name: REFUSED, value: encodeCbor(refusedThrough) },
    ];
    await this.#options.keyStore.write(changes);
    this.#current?.seed.dispose();
    this.#current = null;
    this.#refusedThrough = refusedThrough;
  }
}

function named(primitives: Primitives, stored: Omit<OwnRequest, 'id' | 'request'>): OwnRequest {
  const request = parseAccessRequest(primitives, stored.wire);
  return { ...stored, id: toHex(request.hash), request };
}

function decode(primitives: Primitives, stored: Uint8Array): OwnRequest {
  const value = decodeCbor(stored, MAX_BYTES);
  const [version, wire, seed, isPersons] = Array.isArray(value) ? value : [];
  const isOwn =
    version === 1 &&
    wire instanceof Uint8Array &&
    seed instanceof Uint8Array &&
    typeof isPersons === 'boolean';
  if (!isOwn) throw new ClientError('store-damaged', 'the stored access request is not one');
  return named(primitives, { wire, seed: Secret.own(seed), isPersons });
}
