import type { Vault } from '@keytide/crypto-core';

/** Where the unlock ticket lies: beside the vault, and as durable. */
export interface TicketPlace {
  /** `null` where there is none. */
  read(): Promise<Uint8Array | null>;
  /** Durable when it resolves, whole or not at all. */
  write(ticket: Uint8Array): Promise<void>;
  delete(): Promise<void>;
}

/** A store whose vault can need an unlock share. */
export interface LeasePlace {
  readonly vault: Vault;
  readonly ticket: TicketPlace;
}
