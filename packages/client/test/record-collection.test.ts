import { expect, test } from 'vitest';
import { z } from 'zod';
import { sensitive, type RecordDeclaration } from '../src/index.ts';
import type { Operation } from '../src/operation.ts';
import { RecordCollection } from '../src/record-collection.ts';

const schema = z.object({ title: z.string().min(1), status: z.enum(['open', 'done']).default('open') });
const me = { member: 'a'.repeat(32), role: 'member' } as const;
const author = () => ({ ...me, device: 'd' });
const origin = { seq: 0, epoch: 1, device: 'd', ...me, handle: 'ada', timeMs: 0 } as const;

function makeCollection() {
  const sent: Operation[] = [];
  let seq = 0;
  const collection = new RecordCollection(sensitive.record(schema), {
    name: 'requests',
    submit: async (operations) => {
      for (const operation of operations) {
        seq += 1;
        const whole = { ...operation, time: { ms: seq, counter: 0 } };
        sent.push(whole);
        collection.accept(whole, { ...origin, seq });
      }
    },
    random: (sizeBytes) => new Uint8Array(sizeBytes).fill(seq + 1),
    author,
  });
  return { collection, sent };
}

// oxlint-disable-next-line no-explicit-any -- any declaration will do
const makeRecords = (declaration: RecordDeclaration<any>) =>
  new RecordCollection(declaration, {
    name: 'requests',
    submit: async () => {},
    random: (sizeBytes) => new Uint8Array(sizeBytes),
    author,
  });

test('an edit leaves alone what it does not name, also fields whose schema has a default', async () => {
  const { collection, sent } = makeCollection();
  const id = await collection.create({ title: 'Water', status: 'done' });
  await collection.edit(id, { title: 'Water, two boxes' });
  expect(sent[1]?.body).toEqual({ title: 'Water, two boxes' });
  expect(collection.get(id)?.body).toEqual({ title: 'Water, two boxes', status: 'done' });
});

test('an edit of a sender without our schema leaves alone what it does not name', async () => {
  const { collection } = makeCollection();
  const id = await collection.create({ title: 'Water', status: 'done' });
  const edit = { act: 'edit', collection: 'requests', item: id, time: { ms: 9, counter: 0 } } as const;
  expect(collection.accept({ ...edit, body: { title: 'Food' } }, { ...origin, seq: 9 })).toBeNull();
  expect(collection.accept({ ...edit, body: { status: 'lost' } }, { ...origin, seq: 10 })).toBe('schema');
  expect(collection.get(id)?.body).toEqual({ title: 'Food', status: 'done' });
});

test('a schema with a rule across fields takes edits, and one that throws refuses what peers write', () => {
  const origins = [1, 2].map((seq) => ({ ...origin, seq }));
  const edit = {
    act: 'edit',
    collection: 'requests',
    item: '0'.repeat(64),
    time: { ms: 1, counter: 0 },
  } as const;
  const ruled = z.object({ from: z.number(), to: z.number() }).refine(({ from, to }) => from <= to);
  const throwing = z.object({
    from: z.number().transform((): number => {
      throw new Error('a schema of the application');
    }),
  });
  expect(makeRecords(sensitive.record(ruled)).accept({ ...edit, body: { to: 5 } }, origins[0]!)).toBeNull();
  expect(makeRecords(sensitive.record(throwing)).accept({ ...edit, body: { from: 5 } }, origins[1]!)).toBe(
    'schema',
  );
});

test('one body that does not fit writes none of many', async () => {
  const { collection, sent } = makeCollection();
  const bodies = [
    { title: 'Water', status: 'open' as const },
    { title: '', status: 'open' as const },
  ];
  await expect(collection.createMany(bodies)).rejects.toMatchObject({ code: 'invalid-value' });
  expect(sent).toEqual([]);
});
