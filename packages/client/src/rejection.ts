import type { Origin } from './origin.ts';

/** Why an authentic message changes nothing (docs/spec/operations.md). */
export type RejectionCode =
  | 'malformed' // not an operation, or not one for the channel in which it came
  | 'unknown-act' // an act that this build does not know, or not for this kind of collection
  | 'unknown-collection' // the application has not declared it
  | 'schema' // the value does not fit
  | 'role' // the author's role may not do this
  | 'field'; // the author may not change one of these fields

/** An authentic message that breaks the application's rules: it has changed nothing, and is kept as evidence. */
export interface Rejected extends Origin {
  readonly code: RejectionCode;
  /** What it says it is for; `null` where it does not say. */
  readonly collection: string | null;
  readonly item: string | null;
  /** What its author signed: the operation's bytes. The envelope is in the group's log, at `seq`. */
  readonly payload: Uint8Array;
}
