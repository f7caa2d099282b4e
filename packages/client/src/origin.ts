import type { Role } from '@keytide/key-directory';

/** Who wrote something, and where it stands in the group's log. */
export interface Origin {
  /** Position in the group's log, from 1. */
  readonly seq: number;
  /** The epoch in which it was written: with its key it goes. */
  readonly epoch: number;
  /** The device that signed it. */
  readonly device: string;
  /** The member that device belongs to. */
  readonly member: string;
  /** What that member was when it was written: the role that counts for the rules of a collection. */
  readonly role: Role;
  /** The name that member chose. Not verified by anyone but themselves. */
  readonly handle: string;
  /** When the sender says it was written: milliseconds since 1970. */
  readonly timeMs: number;
}
