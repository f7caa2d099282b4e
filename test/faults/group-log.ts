import { join } from 'node:path';
import { concatBytes, orgId, toHex } from '@keytide/crypto-core';
import { nodePrimitives, nodeRandom } from '@keytide/crypto-core/node';
import { openFileJournal } from '@keytide/client/node';
import { everyoneGroup } from '@keytide/key-directory';
import { openStore, type DatabaseOptions, type RelayStore } from '@keytide/server-relay';
import { createDayKeys } from '../../packages/server-relay/src/day-keys.ts';
import { createGroupLogs, type GroupLogs } from '../../packages/server-relay/src/group-logs.ts';
import { withKeyFile } from '../../packages/server-relay/src/key-file.ts';
import { localKeyWrapper } from '../../packages/server-relay/src/key-wrapper.ts';

/** The group's log as the relay's database holds it, in hex: byte 0 tells envelope from statement. No relay may run. */
export async function logOfRelay(
  database: DatabaseOptions,
  org: string,
): Promise<{ seqs: number[]; entries: string[] }> {
  const group = everyoneGroup(nodePrimitives, orgId(org));
  const { store } = await openStore(database, nodePrimitives, Date.now());
  try {
    const logs = await groupLogsOf(database, store);
    const seqs: number[] = [];
    const entries: string[] = [];
    for (;;) {
      const page = await logs.readEntries(orgId(org), group, seqs.length);
      for (const { seq, kind, bytes } of page.entries) {
        seqs.push(seq);
        entries.push(toHex(concatBytes(Uint8Array.of(kind === 'statement' ? 1 : 0), bytes)));
      }
      if (page.entries.length === 0) {
        if (page.headSeq !== seqs.length) seqs.push(page.headSeq);
        return { seqs, entries };
      }
    }
  } finally {
    await store.close();
  }
}

/** What opens the log: with the key that the relay wrapped its keys with. */
async function groupLogsOf(database: DatabaseOptions, store: RelayStore): Promise<GroupLogs> {
  if (database.kind === 'memory') throw new Error('nothing outlives a relay in memory');
  const path = database.kind === 'pglite' ? join(database.folder, 'data-key') : `${database.keyFile}.data`;
  const file = { path, isFirstStart: false };
  const wrapper = await withKeyFile('data', nodeRandom, file, (key) =>
    localKeyWrapper(nodePrimitives, nodeRandom, key),
  );
  return createGroupLogs({
    store,
    keys: createDayKeys({ store, wrapper, random: nodeRandom }),
    primitives: nodePrimitives,
    random: nodeRandom,
    clock: { now: () => Date.now() },
    retentionOf: () => Promise.resolve(null),
  });
}

/** The same log as a device keeps it under `home`. The device must be closed. */
export async function logOfDevice(home: string): Promise<string[]> {
  const journal = await openFileJournal(join(home, 'group.journal'));
  try {
    return (await journal.read(0)).map(toHex);
  } finally {
    await journal.close();
  }
}
