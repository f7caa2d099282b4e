import type { GroupId } from '@keytide/crypto-core';
import { fits, type ArchiveFilter } from '../container/filter.ts';
import { filteredOf } from '../export/lines.ts';
import type { SourceEntry } from '../export/source.ts';
import type { OpenedArchive } from '../open/read-archive.ts';

/** An entry of an archive that was opened, and who wrote it. Its content is in the clear. */
export interface OpenedEntry {
  readonly group: GroupId;
  readonly entry: SourceEntry;
  /** The name of the message's member; `null` where there is none. */
  readonly name: string | null;
  /** Where time ends for what is written here, milliseconds since 1970; `null` where nothing says. */
  readonly endMs: number | null;
}

/** Gives the entries, each group's together and in the order of its log; from the start each time it is called. */
export type OpenedEntries = () => AsyncIterable<OpenedEntry> | Iterable<OpenedEntry>;

/**
 * What an archive says, with the names that are in its membership log; or what several say that go on from each other,
 * the oldest first: what two of them have comes once. The entries end with what `readArchive` throws.
 */
export function entriesIn(...archives: readonly OpenedArchive[]): OpenedEntries {
  const names = new Map(archives.flatMap(({ members }) => members.map(({ id, handle }) => [id, handle])));
  const groups = new Set(archives.flatMap((archive) => archive.groups.map(({ group }) => group)));
  return async function* () {
    for (const group of groups) {
      let lastSeq = 0;
      for (const { entries, timeLimit } of archives.filter((archive) => has(archive, group))) {
        const limit = await timeLimit(group);
        for await (const entry of entries(group)) {
          if (entry.kind === 'statement') limit.pass(entry.wire);
          if (entry.seq <= lastSeq) continue;
          lastSeq = entry.seq;
          const name = entry.kind === 'message' ? (names.get(entry.member) ?? null) : null;
          yield { group, entry, name, endMs: limit.endMs };
        }
      }
    }
  };
}

function has({ groups }: OpenedArchive, wanted: GroupId): boolean {
  return groups.some(({ group }) => group === wanted);
}

/** Of these entries, the messages that fit, and what is no message. */
export function entriesThat(entries: OpenedEntries, filter: ArchiveFilter): OpenedEntries {
  return async function* () {
    for await (const opened of entries()) {
      const { entry } = opened;
      if (entry.kind !== 'message' || fits(filter, filteredOf(entry))) yield opened;
    }
  };
}

/** An entry of the log that is a message, in any state. */
export type MessageEntry = Extract<SourceEntry, { kind: 'message' }>;

/** What nobody has judged: the exporting program has other collections. */
const UNDECIDED = 'unknown-collection';

/** Whether a message counts, as far as its exporter could tell. */
export function countsIn({ invalid }: Pick<MessageEntry, 'invalid'>): boolean {
  return invalid === null || invalid === UNDECIDED;
}
