import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeCbor, equalBytes } from '@keytide/crypto-core';
import { ClientError, memoryJournal } from '@keytide/client';
import { openFileJournal } from '@keytide/client/node';
import { decodeRecord, encodeRecord } from '../../packages/client/src/entry.ts';
import { encodeOperation, parseOperation } from '../../packages/client/src/operation.ts';
import { Outbox } from '../../packages/client/src/outbox.ts';
import type { Decoder } from './decoder.ts';

const stored = { error: ClientError, codes: ['store-damaged'] };

/** Readers of client: what other members say, and what its own files hold after an accident. */
export const clientDecoders: readonly Decoder[] = [
  {
    name: 'operation',
    error: ClientError,
    codes: [],
    corpus: () =>
      (['append', 'create', 'edit', 'remove'] as const).map((act) =>
        encodeOperation({
          act,
          collection: 'requests',
          item: 'ab'.repeat(32),
          time: { ms: 1_767_225_600_000, counter: 3 },
          body: { title: 'Bridge', done: false, weight: 0.5, tags: ['a'], nothing: null },
        }),
      ),
    rewrite: (bytes) => {
      const operation = parseOperation(bytes, Infinity);
      return typeof operation === 'string' ? null : encodeOperation(operation);
    },
  },
  {
    ...stored,
    name: 'stored entry',
    corpus: () => [
      encodeRecord({ kind: 'envelope', bytes: new Uint8Array(9) }),
      Uint8Array.of(1, 2),
      encodeRecord({
        kind: 'floor',
        firstSeq: 4,
        statement: new Uint8Array(40),
        frontier: new Uint8Array(64),
      }),
    ],
    rewrite: (bytes) => encodeRecord(decodeRecord(bytes)),
  },
  {
    ...stored,
    name: 'outbox record',
    corpus: () =>
      [null, 4].map((replaces) =>
        encodeCbor([1, new Uint8Array(16), 5, new Uint8Array(32), new Uint8Array(200), replaces]),
      ),
    rewrite: async (bytes) => {
      const journal = memoryJournal();
      await journal.append([bytes]);
      const { last } = await Outbox.open(journal);
      if (last === null) return null;
      const next = memoryJournal();
      await (await Outbox.open(next)).add([last]);
      return (await next.read(0))[0] ?? null;
    },
  },
  {
    ...stored,
    name: 'journal file',
    slowness: 20,
    corpus: () =>
      withFile(async () => {
        const journal = await openFileJournal(path);
        await journal.append([Uint8Array.of(1, 2, 3), new Uint8Array(300).fill(7), Uint8Array.of(9)]);
        await journal.close();
        return [Uint8Array.from(readFileSync(path))];
      }),
    // Opening cuts off what a crash left; what stays is what the file began with.
    rewrite: (bytes) =>
      withFile(async () => {
        writeFileSync(path, bytes);
        const journal = await openFileJournal(path);
        const records = await journal.read(0);
        await journal.cut(0);
        await journal.append(records);
        await journal.close();
        const kept = Uint8Array.from(readFileSync(path));
        const isStart = equalBytes(kept, bytes.subarray(0, kept.length)) || records.length === 0;
        return isStart ? bytes : kept;
      }),
  },
];

const path = join(tmpdir(), `keytide-fuzz-${process.pid}.journal`);

/** Leaves no file behind. */
async function withFile<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } finally {
    rmSync(path, { force: true });
  }
}
