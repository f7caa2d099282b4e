import type { Random } from '@keytide/crypto-core';
import type { LiveArrival, LiveLine } from './live-line.ts';
import type { Operation } from './operation.ts';
import type { Origin } from './origin.ts';
import type { RelayData } from './relay-data.ts';
import type { RejectionCode } from './rejection.ts';

/** A collection of any kind, as the client feeds it. */
export interface AnyCollection {
  /** Takes an authenticated operation of the group's log in; answers why it changes nothing, or `null`. */
  accept?(operation: Operation, origin: Origin): RejectionCode | null;
  /** What `accept` would answer, without taking anything in. */
  judge?(operation: Operation, origin: Origin): RejectionCode | null;
  /** Takes in what was written here under this epoch, and waits for the log to show it: `accept` follows. */
  wait?(operation: Operation, epoch: number): void;
  /** What waited is in the log. */
  arrived?(operation: Operation): void;
  /** Whether a removal is about to come undone that this member may say again. */
  readonly hasOutlived?: boolean;
  /** Says it again. @throws ClientError as writing does */
  removeAnew?(): Promise<void>;
  /** Lets go of everything that was written in this epoch or before: its time is over. */
  forget?(throughEpoch: number): void;
  /** Lets go of what came after this place of the group's log: the relay has lost it. */
  rewind?(throughSeq: number): void;
  /** Tells whoever subscribed, where anything has changed since. */
  tell?(): void;
  /** Takes an authentic and fresh live value in; `false` when it breaks the collection's rules. */
  show?(arrival: LiveArrival): boolean;
  /** The members or their devices have changed. */
  look?(): void;
  /** Ends every `follow`. */
  end(): void;
}

/** Hands operations to the outbox; resolves once they are durable on this device. */
export type Submit = (
  operations: readonly Pick<Operation, 'act' | 'collection' | 'item' | 'body'>[],
) => Promise<void>;

/** What a client gives to a collection that it opens. */
export interface CollectionContext {
  /** As the application declared it. */
  readonly name: string;
  readonly submit: Submit;
  readonly random: Random;
  /** For what the relay may read. */
  readonly relayData: RelayData;
  readonly live: LiveLine;
  /** Whose device this is, with the role of now. */
  author(): Pick<Origin, 'member' | 'role' | 'device'>;
}

/** What an application says of one collection; it opens as the collection `C`. Each kind has its own. */
export interface Declaration<C extends AnyCollection = AnyCollection> {
  readonly class: 'sensitive' | 'org' | 'system';
  readonly kind: string;
  /** Makes the collection, empty. For the client only. */
  open(context: CollectionContext): C;
}

/** The collections of one application, by name. */
export type Declarations = { readonly [name: string]: Declaration };

/** The typed collections of a client, by declared name. */
export type Collections<D extends Declarations> = {
  readonly [Name in keyof D]: ReturnType<D[Name]['open']>;
};

/** The declared collections by name, empty. */
export function makeCollections(
  definition: Declarations,
  context: Omit<CollectionContext, 'name'>,
): ReadonlyMap<string, AnyCollection> {
  return new Map(
    Object.entries(definition).map(([name, declaration]) => [name, declaration.open({ ...context, name })]),
  );
}
