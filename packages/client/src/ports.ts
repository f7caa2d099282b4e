import type { KeyStore, Primitives, Random } from '@keytide/crypto-core';
import type { Journal } from './journal.ts';
import type { LeasePlace } from './lease-place.ts';

/** Time as the client sees it. */
export interface Clock {
  /** Milliseconds since 1970, UTC. */
  now(): number;
  /** Resolves after `ms`, or at once when `signal` is aborted. Never rejects. */
  wait(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Where one device keeps what it knows. One process at a time holds it. */
export interface DeviceStore {
  /** Secrets and settings: encrypted, atomic, durable. */
  readonly keys: KeyStore;
  /** Opens an append-only list of byte records. Holds ciphertext and public data only. */
  journal(name: string): Promise<Journal>;
  /** What an unlock lease needs of the store; left out where its vault cannot need a share. */
  readonly lease?: LeasePlace;
  /** Lets another process open the store. */
  close(): Promise<void>;
  /**
   * Destroys all that is here, the keys first, and closes the store. What a crash leaves of it is destroyed at the next
   * opening, before anything else; the place is then empty, and can be used again.
   */
  destroy(): Promise<void>;
  /** Whether what was here was destroyed. */
  wasDestroyed(): Promise<boolean>;
}

/** Everything the client needs from its runtime. `@keytide/client/node` has a ready set. */
export interface Ports {
  readonly primitives: Primitives;
  readonly random: Random;
  readonly clock: Clock;
  readonly fetch: typeof globalThis.fetch;
  readonly WebSocket: typeof globalThis.WebSocket;
}
