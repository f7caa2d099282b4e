import { appendLeaf, EMPTY_FRONTIER, leafHash, rootOf, type MerkleFrontier } from '@keytide/crypto-core';
import { encodeGroupEntry } from '@keytide/relay-protocol';
import type { ClientCore } from './client-core.ts';
import { decodeRecord } from './entry.ts';
import { ClientError } from './errors.ts';
import { readPage } from './journal.ts';
import { frontierOf } from './log-floor.ts';

/** What a root is computed of. */
type Reading = Pick<ClientCore, 'lostTimes'> & {
  readonly parts: Pick<ClientCore['parts'], 'journal'>;
  readonly sync: Pick<ClientCore['sync'], 'assertNotOver'>;
  readonly replica: Pick<ClientCore['replica'], 'records'>;
  readonly log: { readonly ports: Pick<ClientCore['log']['ports'], 'primitives'> };
};

/**
 * The RFC 9162 root of this device's copy of the group's log after so many entries, 32 bytes, however long ago; `null`
 * where it has not come so far, or what was there was forgotten before it came. Reads the journal up to there.
 * @throws ClientError `source-changed` when the relay lost entries meanwhile, `closed`, `wiped`, `locked`
 */
export async function rootInJournal(core: Reading, size: number): Promise<Uint8Array | null> {
  const { parts, replica, lostTimes } = core;
  const { primitives } = core.log.ports;
  const { records } = replica;
  let tree: MerkleFrontier = EMPTY_FRONTIER;
  for (let at = 0; at < records && tree.size < size;) {
    const page = (await readPage(parts.journal, at)).slice(0, records - at).map(decodeRecord);
    core.sync.assertNotOver();
    if (core.lostTimes !== lostTimes || page.length === 0)
      throw new ClientError('source-changed', 'the relay lost entries while the log was read');
    at += page.length;
    for (const record of page) {
      tree =
        record.kind === 'floor'
          ? frontierOf(record.firstSeq, record.frontier)
          : appendLeaf(primitives, tree, leafHash(primitives, encodeGroupEntry(record)));
      if (tree.size >= size) break;
    }
  }
  return tree.size === size ? rootOf(primitives, tree) : null;
}
