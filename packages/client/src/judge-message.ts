import type { MemberId, Primitives } from '@keytide/crypto-core';
import type { AnyCollection } from './collection.ts';
import type { CollectionWindows } from './collection-windows.ts';
import type { DirectoryReplica } from './directory-replica.ts';
import type { Outcome } from './group-replica.ts';
import { channelOf, parseOperation, type Operation } from './operation.ts';
import type { Origin } from './origin.ts';
import type { RejectionCode } from './rejection.ts';

/** What a message is judged by. */
interface JudgeOptions {
  readonly primitives: Primitives;
  readonly directory: DirectoryReplica;
  readonly collections: ReadonlyMap<string, AnyCollection>;
  readonly windows: CollectionWindows;
  /** Whether what was written in this epoch is over, by the retention window. */
  isExpired(epoch: number): boolean;
}

/** What an authentic message is to the application. */
interface Judged {
  readonly origin: Origin;
  /** `null` for a message that is none. */
  readonly operation: Operation | null;
  /** Why it counts for nothing; `null` when it counts. */
  readonly code: RejectionCode | null;
}

/**
 * Judges an authentic message by the rules of docs/spec/operations.md: its collection takes it in (`accept`), or only
 * says what it would answer (`judge`). `null`: it is over.
 */
export type Judge = (
  outcome: Extract<Outcome, { kind: 'message' }>,
  how: 'accept' | 'judge',
) => Judged | null;

/** Where a message is to come. */
interface Channel extends Pick<Operation, 'collection' | 'item'> {
  readonly bytes: Uint8Array;
}

/** The one way in which messages are judged, whether they are shown or exported. */
export function messageJudge({
  primitives,
  directory,
  collections,
  windows,
  isExpired,
}: JudgeOptions): Judge {
  /** Of what was read last: a backlog is mostly of one room. */
  let channel: Channel | null = null;

  function expectedChannel({ collection, item }: Operation): Uint8Array {
    if (channel?.collection !== collection || channel.item !== item)
      channel = { collection, item, bytes: channelOf(primitives, collection, item) };
    return channel.bytes;
  }

  return ({ seq, epoch, role, message, endMs }, how) => {
    if (isExpired(epoch)) return null;
    const parsed = parseOperation(message.payload, endMs);
    const operation = typeof parsed === 'string' ? null : parsed;
    if (operation !== null && windows.isOver(operation.collection, epoch)) return null;
    const { devices, members } = directory.state;
    const member = members.get(devices.get(message.sender)?.member as MemberId);
    const origin = {
      ...{ seq, epoch, role, device: message.sender, timeMs: operation?.time.ms ?? 0 },
      ...{ member: member?.id ?? '', handle: member?.handle ?? '' },
    };
    if (typeof parsed === 'string') return { origin, operation: null, code: parsed };
    if (!expectedChannel(parsed).every((byte, i) => message.channel[i] === byte))
      return { origin, operation, code: 'malformed' };
    const code = collections.get(parsed.collection)?.[how]?.(parsed, origin);
    return { origin, operation, code: code === undefined ? 'unknown-collection' : code };
  };
}
