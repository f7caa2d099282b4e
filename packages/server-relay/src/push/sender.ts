import type { PushKind } from '@keytide/relay-protocol';

/**
 * Reaches devices that are not connected, by one kind of service: a port. What it sends says 'look at your relay' and
 * nothing else. `pushSenderConformance` in testkit says what it owes (docs/spec/push.md).
 */
export interface PushSender {
  readonly kind: PushKind;
  /** Whether this is something that it may send to. */
  accepts(target: string): boolean;
  /** Sends one; within the time it was given. Never rejects. */
  send(push: Push): Promise<PushOutcome>;
}

/** One word to one device. */
export interface Push {
  /** What the device has registered. */
  readonly target: string;
  /** The same for each attempt at the same word: 32 hex digits. */
  readonly id: string;
  /** What the service called the word before, if it answers for that later. */
  readonly ticket: string | null;
  /** Aborted when the relay closes. */
  readonly signal: AbortSignal;
}

/** Taken over by the service; `gone`: nobody is there any more; `later`: try again, at the earliest after `afterMs`. */
export type PushOutcome =
  | { readonly kind: 'told'; readonly ticket: string | null }
  | { readonly kind: 'gone' }
  | { readonly kind: 'later'; readonly code: PushFailure; readonly afterMs: number };

/** Why a word was not taken over. */
export type PushFailure =
  | 'push-blocked' // an address that is not public, and no origin that the operator allows
  | 'push-unreachable' // no connection, no answer in time, or none that is HTTP
  | 'push-busy' // the service is overloaded or broken
  | 'push-refused'; // the service does not take it, or answers with something else than it should: look at the configuration
