import type { AccessEvent } from './access-view.ts';
import type { SyncState } from './connection.ts';
import type { Divergence, Missing, UnreadableCode } from './group-replica.ts';
import type { IdentityChange, OwnDevice } from './identity-watch.ts';
import type { RefusedDocument } from './relay-data.ts';
import type { Lost } from './rewind.ts';
import type { Rejected } from './rejection.ts';
import type { Witnesses } from './witness-demand.ts';

/** An entry of the group's log that shows nothing, and why. */
export interface Unreadable {
  readonly seq: number;
  /** Of entries that the relay no longer has: it stands for all of them, up to this one. */
  readonly throughSeq?: number;
  readonly code: UnreadableCode;
}

/** The one before where nothing has changed, so that who shows it can tell. */
export function unlessSame(before: readonly Unreadable[], now: readonly Unreadable[]): readonly Unreadable[] {
  const isSame = ({ seq, throughSeq, code }: Unreadable, i: number): boolean =>
    seq === before[i]?.seq && throughSeq === before[i]?.throughSeq && code === before[i]?.code;
  return now.length === before.length && now.every(isSame) ? before : now;
}

/** A place in the membership log where this device's key has signed, and not this device. */
export interface StolenKey {
  readonly index: number;
}

/** What a client tells its listeners. */
export type ClientEvents = {
  readonly state: SyncState;
  /** An entry that shows nothing. A `tampered` one can still come as a message, when its sender vouches for it. */
  readonly unreadable: Unreadable;
  /** An authentic message that breaks the application's rules. The first listener also gets those so far. */
  readonly rejected: Rejected;
  /** A sender's messages that the relay has not given to this device. The first listener also gets those so far. */
  readonly missing: Missing;
  /** Proof that the relay shows members different logs of the group. Told once a device. */
  readonly divergence: Divergence;
  /**
   * The relay was put back from a backup and no longer has entries that this device had: its own messages among them
   * are sent again, and what others wrote is shown again when their devices have. The first listener also gets those so far.
   */
  readonly lost: Lost;
  /**
   * A document of a collection of the class org that does not fit its schema: it is shown nowhere. The first
   * listener also gets those so far.
   */
  readonly 'refused-document': RefusedDocument;
  /** Whether as many admins have cosigned the membership log as the policy demands has changed. */
  readonly witnesses: Witnesses;
  /** Keys that somebody asks for, or that this device has asked for: see `Client.access`. */
  readonly access: AccessEvent;
  /**
   * Messages that were written here and had not reached the relay when the retention window was over: they are gone.
   * The first listener also gets those so far.
   */
  readonly unsent: { readonly count: number };
  /** Another member's devices have changed. The first listener also gets those so far, also from before a restart. */
  readonly identity: IdentityChange;
  /**
   * An alarm: one's own member has a device that this one did not invite. The first listener also gets those so far,
   * also from before a restart. Either is told again at each start until the person took note: `acknowledge`.
   */
  readonly 'own-device': OwnDevice;
  /**
   * Somebody has tried to unlock this device's store with a wrong passphrase, so many times within the lease: its
   * person, or who has a copy of its disk. Ten destroy the share that opens it. The first listener also gets those so far.
   */
  readonly 'unlock-attempts': { readonly wrong: number };
  /**
   * The loudest alarm: an entry of the membership log has this device's signature, and this device has not made it.
   * Told each time the client is opened, until the person took note of it. The first listener also gets those so far.
   */
  readonly 'stolen-key': StolenKey;
};

/** Of which the first listener gets those so far too. */
export const KEPT_EVENTS: readonly (keyof ClientEvents)[] = [
  'missing',
  'lost',
  'rejected',
  'identity',
  'own-device',
  'stolen-key',
  'refused-document',
  'unsent',
  'unlock-attempts',
];
