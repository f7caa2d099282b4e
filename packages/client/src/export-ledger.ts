import {
  retentionLedger,
  type GivenArchive,
  type LedgerLog,
  type LogBlock,
  type RelayWord,
  type RetentionLedger,
} from '@keytide/archive';
import {
  appendLeaf,
  CryptoError,
  EMPTY_FRONTIER,
  leafHash,
  parseEpochStatement,
  rootOf,
  toHex,
  type MerkleFrontier,
} from '@keytide/crypto-core';
import { DirectoryError, parseDeletionStatement, parseExportStatement } from '@keytide/key-directory';
import { encodeGroupEntry, LIMITS, retentionResponse } from '@keytide/relay-protocol';
import type { ClientCore } from './client-core.ts';
import { coreOf, type Client } from './client.ts';
import type { Declarations } from './collection.ts';
import { decodeRecord } from './entry.ts';
import { ClientError } from './errors.ts';
import { readPage } from './journal.ts';
import { frontierOf } from './log-floor.ts';
import { keepReleases, keptReleases, type ReleaseWires } from './release-record.ts';

/** What a ledger is read with. */
export interface LedgerChoice {
  /** Archives that were verified, with what that has come to. */
  readonly archives?: readonly GivenArchive[];
  /** Without asking the relay: by what this device has, and by the statements that it was shown before. */
  readonly offline?: boolean;
}

/**
 * The retention ledger (docs/spec/retention-ledger.md) by this device's own copies of the logs: what is due for export
 * when, what was exported, acknowledged, waived and deleted, and by whose word. Wait for `client.online()` before. For
 * admins and exporters; reads the whole copy of the group's log once.
 * @throws ClientError `offline`, `relay-refused` (`not-a-member` for others), `closed`, `source-changed` when the relay
 *   lost entries meanwhile; a retry helps but against `not-a-member`
 */
export async function readRetentionLedger<D extends Declarations>(
  client: Client<D>,
  { archives = [], offline = false }: LedgerChoice = {},
): Promise<RetentionLedger> {
  const core = coreOf(client);
  const { directory, time } = core.parts;
  const { primitives, clock } = core.log.ports;
  core.sync.assertNotOver();
  const shown = offline ? null : await askRelay(core);
  const group = directory.state.everyone;
  const { keys } = core.store;
  const kept = await keptReleases(keys, group);
  const exported = [...kept.exported, ...(shown?.exported ?? [])];
  const deleted = [...kept.deleted, ...(shown?.deleted ?? [])];
  const sizes = new Set([
    ...archives.flatMap(({ signed }) => signed.manifest.groups.map(({ throughSeq }) => throughSeq)),
    ...exported.flatMap((wire) => seqOf(() => parseExportStatement(wire).throughSeq)),
    ...deleted.flatMap((wire) => seqOf(() => parseDeletionStatement(wire).lastSeq)),
  ]);
  const ledger = retentionLedger({
    ...{ primitives, directory, archives, exported, deleted },
    log: await readLog(core, sizes),
    nowMs: Math.max(clock.now(), time.now()),
    relay: shown?.relay ?? null,
  });
  const wireOf = ({ wire }: { readonly wire: Uint8Array }): Uint8Array => wire;
  await keepReleases(keys, group, {
    exported: ledger.acknowledgements.map(wireOf),
    deleted: ledger.deletions.map(wireOf),
  });
  return ledger;
}

/** How often a relay may forget something while it is asked. */
const ATTEMPTS = 4;

async function askRelay(core: ClientCore): Promise<ReleaseWires & { readonly relay: RelayWord }> {
  const { api } = core.parts;
  // Who may say what, and by which policy.
  await core.log.pullDirectory();
  for (let attempt = 1; ; attempt += 1) {
    const firstSeq = await firstSeqOf(core);
    const answer = await api.call('GET', '/retention', retentionResponse);
    // What it forgot in between, it could not have said before.
    if (firstSeq !== (await firstSeqOf(core)) && attempt < ATTEMPTS) continue;
    const { deleted, exported, attachmentsHeld = null } = answer;
    const isCut = deleted.length >= LIMITS.deletions;
    return { deleted, exported, relay: { firstSeq, isCut, attachmentsHeld } };
  }
}

/** Where the relay says that the log begins. */
async function firstSeqOf({ parts: { api, directory } }: ClientCore): Promise<number> {
  try {
    return (await api.floor(directory.state.everyone)).firstSeq;
  } catch (error) {
    if (error instanceof ClientError && error.relayCode === 'not-found') return 1;
    throw error;
  }
}

/** This device's copy of the log, by the blocks of the statements that it has verified. */
async function readLog(core: ClientCore, sizes: ReadonlySet<number>): Promise<LedgerLog> {
  const { replica, epochs, lostTimes } = core;
  const { journal } = core.parts;
  const { primitives } = core.log.ports;
  const verified = new Map(epochs.statements.map((statement) => [toHex(statement.hash), statement]));
  const blocks: LogBlock[] = [];
  const roots = new Map<number, Uint8Array>();
  const last = replica.records;
  let tree = EMPTY_FRONTIER;

  const keep = (grown: MerkleFrontier): void => {
    tree = grown;
    if (sizes.has(grown.size)) roots.set(grown.size, rootOf(primitives, grown));
  };
  const begin = (firstSeq: number, wire: Uint8Array): void => {
    try {
      const statement = verified.get(toHex(parseEpochStatement(primitives, wire).hash));
      if (statement === undefined) return;
      const { blockStartMs: startMs, blockEndMs: endMs } = statement;
      blocks.push({ firstSeq, startMs, endMs });
    } catch (error) {
      // It is in the log, and starts nothing.
      if (!(error instanceof CryptoError)) throw error;
    }
  };

  for (let at = 0; at < last;) {
    const page = (await readPage(journal, at)).slice(0, last - at).map(decodeRecord);
    core.sync.assertNotOver();
    if (core.lostTimes !== lostTimes || page.length === 0)
      throw new ClientError('source-changed', 'the relay lost entries while the ledger was made');
    at += page.length;
    for (const record of page) {
      if (record.kind === 'floor') {
        blocks.push({ firstSeq: tree.size + 1, startMs: null, endMs: null });
        keep(frontierOf(record.firstSeq, record.frontier));
        begin(record.firstSeq, record.statement);
        continue;
      }
      if (record.kind === 'statement') begin(tree.size + 1, record.bytes);
      keep(appendLeaf(primitives, tree, leafHash(primitives, encodeGroupEntry(record))));
    }
  }
  return { blocks, throughSeq: tree.size, rootAt: (seq) => roots.get(seq) ?? null };
}

/** Nothing for a statement that is none: the ledger says so. */
function seqOf(parse: () => number): readonly number[] {
  try {
    return [parse()];
  } catch (error) {
    if (error instanceof DirectoryError) return [];
    throw error;
  }
}
