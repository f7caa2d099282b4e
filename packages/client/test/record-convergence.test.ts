import { encodeCbor, toHex, type CborValue } from '@keytide/crypto-core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareHybrid } from '../src/hybrid-clock.ts';
import { encodeOperation, parseOperation, type Operation } from '../src/operation.ts';
import { IDS, log } from './record-log.ts';
import { CY, openRequests, schema, type Sent } from './record-world.ts';

/** What a replica shows once it was given these, in this order; each travels as bytes. */
function replica(sent: readonly Sent[], forgotten = 0) {
  const { collection } = openRequests(CY, 'member');
  const rejected = new Map<number, string>();
  for (const { operation, origin } of sent) {
    const arrived = parseOperation(encodeOperation(operation), Infinity) as Operation;
    const code = collection.accept(arrived, origin);
    if (code !== null) rejected.set(origin.seq, code);
  }
  if (forgotten > 0) collection.forget(forgotten);
  return {
    list: collection.list(),
    records: IDS.map((id) => collection.get(id)),
    histories: IDS.map((id) => collection.history(id)),
    rejected: [...rejected].toSorted(([a], [b]) => a - b),
  };
}

/** The same by the words of docs/spec/operations.md: of the set, and one question after the other. */
function bySpecification(all: readonly Sent[]) {
  const rejected = all.flatMap((sent) => {
    const code = refused(sent);
    return code === null ? [] : [[sent.origin.seq, code] as [number, string]];
  });
  const records = IDS.map((id) => {
    const writes = all.filter((sent) => sent.operation.item === id && refused(sent) === null);
    const has = (name: string): boolean => writes.some(({ operation }) => operation.act === name);
    if (!has('create') || has('remove')) return null;
    const body: Record<string, unknown> = {};
    for (const field of ['title', 'status', 'note']) {
      const set = writes
        .filter(({ operation }) => field in operation.body)
        .toSorted((a, b) => order(a, b, field));
      const changes = set.filter((sent) => mayChange(sent, field));
      const stays = changes.at(-1) ?? set[0];
      if (stays !== undefined) body[field] = stays.operation.body[field];
    }
    return { id, body, pending: false };
  });
  return { list: records.filter((record) => record !== null), records, rejected };
}

function refused(sent: Sent): string | null {
  const { operation, origin } = sent;
  const { act: name, item, body } = operation;
  if (name === 'append') return 'unknown-act';
  if (!IDS.includes(item)) return 'malformed';
  const isOwner = item.endsWith(origin.member);
  if (name === 'remove') {
    if (Object.keys(body).length > 0) return 'schema';
    return isOwner || origin.role === 'admin' ? null : 'role';
  }
  if (name === 'create') {
    if (!schema.safeParse(body).success) return 'schema';
    return origin.role === (isOwner ? 'member' : 'admin') ? null : 'role';
  }
  if (!schema.partial().safeParse(body).success) return 'schema';
  return Object.keys(body).every((field) => mayChange(sent, field)) ? null : 'field';
}

function mayChange({ operation, origin }: Sent, field: string): boolean {
  if (field === 'status') return origin.role === 'admin';
  return field === 'note' ? operation.item.endsWith(origin.member) : true;
}

function order(a: Sent, b: Sent, field: string): number {
  const bytes = ({ operation }: Sent): string => toHex(encodeCbor(operation.body[field] as CborValue));
  return (
    compareHybrid(a.operation.time, b.operation.time) ||
    a.origin.device.localeCompare(b.origin.device) ||
    bytes(a).localeCompare(bytes(b))
  );
}

test('replicas that were given the same operations show the same, in any order, twice, in parts: as specified', () => {
  let [shown, refusals] = [0, 0];
  const deliveries = log.chain((sent) =>
    fc.record({
      sent: fc.constant(sent),
      shuffled: fc.shuffledSubarray(sent, { minLength: sent.length }),
      // What one side of a partition has, before it is given the rest, and some of it again.
      part: fc.subarray(sent),
      again: fc.subarray(sent),
    }),
  );
  fc.assert(
    fc.property(deliveries, ({ sent, shuffled, part, again }) => {
      const expected = bySpecification(sent);
      const inOrder = replica(sent);
      const { histories: _, ...visible } = inOrder;
      expect(visible).toEqual(expected);
      expect(replica(shuffled)).toEqual(inOrder);
      expect(replica([...part, ...again, ...shuffled])).toEqual(inOrder);
      shown += expected.list.length;
      refusals += expected.rejected.length;
    }),
    { numRuns: 1000 },
  );
  expect(shown).toBeGreaterThan(300);
  expect(refusals).toBeGreaterThan(1000);
});

test('a history is every operation in the log’s order, with what counts', () => {
  fc.assert(
    fc.property(
      log.chain((sent) => fc.shuffledSubarray(sent, { minLength: sent.length })),
      (sent) => {
        const { histories } = replica(sent);
        for (const [index, id] of IDS.entries()) {
          const about = sent
            .filter(({ operation }) => operation.item === id && operation.act !== 'append')
            .toSorted((a, b) => a.origin.seq - b.origin.seq);
          expect(histories[index]).toEqual(
            about.map((line) => ({
              ...line.origin,
              id,
              act: line.operation.act,
              changed: line.operation.body,
              rejected: refused(line),
            })),
          );
        }
      },
    ),
    { numRuns: 300 },
  );
});

test('what was forgotten was never there: a record is what is left of it, also when it is given again', () => {
  const forgetting = log.chain((sent) =>
    fc.record({
      sent: fc.shuffledSubarray(sent, { minLength: sent.length }),
      forgotten: fc.integer({ min: 1, max: 4 }),
      again: fc.boolean(),
    }),
  );
  fc.assert(
    fc.property(forgetting, ({ sent, forgotten, again }) => {
      const left = sent.filter(({ origin }) => origin.epoch > forgotten);
      const { rejected: _, ...before } = replica(again ? [...sent, ...sent] : sent, forgotten);
      const { rejected: __, ...after } = replica(left);
      expect(before).toEqual(after);
    }),
    { numRuns: 500 },
  );
});
