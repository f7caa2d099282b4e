import type { OpenedEntry } from '@keytide/archive/formats';
import { parquetTable } from '@keytide/archive/parquet';
import { deviceId, encodeCbor, groupId, memberId, toHex, type CborValue } from '@keytide/crypto-core';
import { plainRow, type BenchOptions, type Row } from '../rows.ts';

const group = groupId(new Uint8Array(32).fill(1));
const sender = deviceId(new Uint8Array(32).fill(2));
const member = memberId(new Uint8Array(16).fill(3));
const channel = new Uint8Array(16);
const envelope = new Uint8Array(600);
const START_MS = Date.UTC(2026, 0, 1);

/** A table of changes of records as a Parquet file: opened entries in, bytes out. */
export async function* benchParquet({ quick, clock }: BenchOptions): AsyncGenerator<Row[]> {
  const count = quick ? 30_000 : 200_000;
  const entries = Array.from({ length: count }, (_, index) => change(index + 1));
  const samples: number[] = [];
  for (let round = -1; round < 3; round += 1) {
    const startMs = clock.now();
    let sizeBytes = 0;
    for await (const piece of parquetTable(() => entries, { collection: 'requests' }))
      sizeBytes += piece.length;
    if (sizeBytes < count) throw new Error('a file without its rows');
    if (round >= 0) samples.push(count / ((clock.now() - startMs) / 1_000));
  }
  yield [plainRow({ bench: 'archive', work: 'write Parquet', n: count, unit: 'rows/s' }, samples)];
}

/** A request, or what becomes of one. */
function change(seq: number): OpenedEntry {
  const isNew = seq % 3 === 1;
  const id = toHex(Uint8Array.from({ length: 32 }, (_, at) => (Math.ceil(seq / 3) * (at + 7)) & 255));
  const body: { readonly [field: string]: CborValue } = isNew
    ? { status: 'open', need: `water for ${seq % 40} people`, people: seq % 40, at: [48 + seq / 1e6, 16.4] }
    : { status: seq % 3 === 2 ? 'on the way' : 'done' };
  const payload = encodeCbor([1, isNew ? 1 : 2, 'requests', id, START_MS + seq * 60_000, 0, body]);
  return {
    ...{ group, name: `member ${seq % 50}`, endMs: null },
    entry: {
      ...{ kind: 'message', seq, envelope, epoch: 1, sender, member, role: 'member', counter: seq, channel },
      ...{ payload, invalid: null, attachments: [] },
    },
  };
}
