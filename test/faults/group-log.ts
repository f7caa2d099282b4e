import { join } from 'node:path';
import { concatBytes, orgId, toHex } from '@keytide/crypto-core';
import { nodePrimitives } from '@keytide/crypto-core/node';
import { openFileJournal } from '@keytide/client/node';
import { everyoneGroup } from '@keytide/key-directory';
import { openStore, type DatabaseOptions } from '@keytide/server-relay';

/** The group's log as the relay's database holds it, in hex: byte 0 tells envelope from statement. No relay may run. */
export async function logOfRelay(
  database: DatabaseOptions,
  org: string,
): Promise<{ seqs: number[]; entries: string[] }> {
  const group = everyoneGroup(nodePrimitives, orgId(org));
  const { store } = await openStore(database, nodePrimitives, Date.now());
  try {
    const seqs: number[] = [];
    const entries: string[] = [];
    for (;;) {
      const page = await store.readEntries(orgId(org), group, seqs.length);
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

/** The same log as a device keeps it under `home`. The device must be closed. */
export async function logOfDevice(home: string): Promise<string[]> {
  const journal = await openFileJournal(join(home, 'group.journal'));
  try {
    return (await journal.read(0)).map(toHex);
  } finally {
    await journal.close();
  }
}
