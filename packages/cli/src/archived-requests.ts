import { readArchive, type AgeIdentity, type ArchiveFiles, type OpenedArchive } from '@keytide/archive';
import type { AggregateLedger } from '@keytide/archive/aggregates';
import { entriesIn, recordStates } from '@keytide/archive/formats';
import { aggregateLedgerIn } from '@keytide/client/aggregates';
import { recordMerge } from '@keytide/client/export';
import type { OrgId } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { replay } from '@keytide/key-directory';
import { withArchive } from './archive-place.ts';
import { requireSame } from './archive-report.ts';
import { checkArchive } from './commands/verify.ts';
import type { Context } from './context.ts';
import { CliError } from './errors.ts';
import { EXIT } from './exit-codes.ts';
import { organisation, type HelpRequest } from './organisation.ts';
import { usageError } from './usage.ts';

/** The requests that archives hold, and what was published of them by the end of the last. */
export interface ArchivedRequests {
  readonly org: OrgId;
  readonly requests: readonly { readonly id: string; readonly body: HelpRequest }[];
  readonly ledger: AggregateLedger;
  /** When the last of the archives was made, by its exporter's clock. */
  readonly madeMs: number;
  /** Entries that are in the archives without being readable. */
  readonly unreadable: number;
  /** Requests whose beginning is in none of the archives. */
  readonly incomplete: number;
}

/**
 * Reads archives, each of which goes on from the one before, as a device would show them. Everything is verified first.
 * @throws CliError `unsound-archive`, `usage`; ArchiveError as `readArchive`
 */
export function archivedRequests(
  context: Context,
  paths: readonly string[],
  identities: readonly AgeIdentity[],
): Promise<ArchivedRequests> {
  return withArchives(paths, async (places) => {
    const opened: OpenedArchive[] = [];
    for (const files of places) {
      const before = opened.at(-1);
      const expected = before && { org: before.signed.manifest.org, previous: before.signed };
      const report = await checkArchive(context, files, { identities, ...expected });
      // What other admins have not signed yet is no less true.
      if (report.findings.some(({ weight, code }) => weight === 'fault' && code !== 'approval-needed'))
        throw unsound();
      const archive = await readArchive({ primitives, files, identities });
      requireSame(report, archive.signed);
      if (archive.signed.manifest.filter !== null)
        throw usageError(
          'an archive that was made with a filter lacks requests',
          'Give one that was made without --member, --collection, --from and --to.',
        );
      opened.push(archive);
    }
    return await requestsIn(opened);
  });
}

async function requestsIn(opened: readonly OpenedArchive[]): Promise<ArchivedRequests> {
  const last = opened.at(-1) as OpenedArchive;
  const wires: Uint8Array[] = [];
  for await (const wire of last.source.membership()) wires.push(wire);
  const requests: { id: string; body: HelpRequest }[] = [];
  let incomplete = 0;
  for await (const { id, state, body } of recordStates(entriesIn(...opened), {
    ...{ collection: 'requests', merge: recordMerge(organisation) },
  })) {
    if (state === 'incomplete') incomplete += 1;
    if (state === 'shown') requests.push({ id, body: body as unknown as HelpRequest });
  }
  const groups = opened.flatMap(({ signed }) => signed.manifest.groups);
  return {
    org: last.signed.manifest.org,
    madeMs: last.signed.manifest.createdMs,
    requests: requests.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
    ledger: aggregateLedgerIn(replay(primitives, wires), 'requests'),
    unreadable: groups.reduce((sum, group) => sum + group.unreadable, 0),
    incomplete,
  };
}

function withArchives<T>(
  paths: readonly string[],
  work: (places: readonly ArchiveFiles[]) => Promise<T>,
  places: readonly ArchiveFiles[] = [],
): Promise<T> {
  const [first, ...rest] = paths;
  if (first === undefined) return work(places);
  return withArchive(first, (files) => withArchives(rest, work, [...places, files]));
}

function unsound(): CliError {
  return new CliError(
    'unsound-archive',
    EXIT.unsound,
    'an archive is not sound, or does not go on from the one before',
    '`keytide verify` says what is wrong with it; give archives from the oldest on.',
  );
}
