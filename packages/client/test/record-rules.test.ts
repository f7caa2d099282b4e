import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { Body } from '../src/body.ts';
import { sensitive } from '../src/index.ts';
import { RecordCollection } from '../src/record-collection.ts';
import { ADA, BO, CY, idOf, openRequests, schema, sentBy, type Sent } from './record-world.ts';

const OPEN = { title: 'Water', status: 'open' } as const;
const BOS = idOf(BO, 1);
const created = (): Sent => sentBy(BO, 'member', { act: 'create', item: BOS, body: OPEN });

/** What a replica makes of operations, in this order. */
function judged(...sent: readonly Sent[]) {
  const { collection } = openRequests(CY, 'member');
  const codes = sent.map(({ operation, origin }) => collection.accept(operation, origin));
  return { codes, body: collection.get(BOS)?.body ?? null, collection };
}

describe('who may do what to a record', () => {
  test('whoever the rules let create it, in their own name only', () => {
    const create = { act: 'create', item: BOS, body: OPEN } as const;
    expect(judged(sentBy(BO, 'member', create)).codes).toEqual([null]);
    expect(judged(sentBy(BO, 'exporter', create)).codes).toEqual(['role']);
    expect(judged(sentBy(BO, 'admin', create)).codes).toEqual(['role']);
    expect(judged(sentBy(CY, 'member', create)).codes).toEqual(['role']);
  });

  test('a field is for those whom the rules name, by the role that counts, or for its owner', () => {
    const edit = (member: string, role: 'admin' | 'member' | 'exporter', body: object): Sent =>
      sentBy(member, role, { act: 'edit', item: BOS, body: body as Sent['operation']['body'] });
    expect(judged(created(), edit(ADA, 'admin', { status: 'done' })).body).toMatchObject({ status: 'done' });
    for (const [member, role, body] of [
      [BO, 'member', { status: 'done' }],
      [ADA, 'member', { status: 'done' }],
      [ADA, 'admin', { note: 'mine' }],
      [CY, 'member', { note: 'mine' }],
      // One field that is closed closes all of them.
      [CY, 'member', { title: 'Food', note: 'mine' }],
    ] as const) {
      const { codes, body: left } = judged(created(), edit(member, role, body));
      expect([codes[1], left]).toEqual(['field', OPEN]);
    }
    expect(judged(created(), edit(BO, 'exporter', { note: 'mine' })).body).toEqual({ ...OPEN, note: 'mine' });
    expect(judged(created(), edit(CY, 'exporter', { title: 'Food' })).body).toEqual({
      ...OPEN,
      title: 'Food',
    });
  });

  test('one list is for every field', () => {
    const collection = new RecordCollection(sensitive.record(schema, { edit: ['owner'] }), {
      name: 'requests',
      submit: async () => {},
      random: () => new Uint8Array(),
      author: () => CYS,
    });
    const edit = { act: 'edit', item: BOS, body: { title: 'Food' } } as const;
    const { operation, origin } = sentBy(CY, 'admin', edit);
    expect(collection.accept(operation, origin)).toBe('field');
    const own = sentBy(BO, 'member', edit);
    expect(collection.accept(own.operation, own.origin)).toBeNull();
  });

  test('its owner and admins remove it, for good, and its history stays', () => {
    const remove = { act: 'remove', item: BOS, body: {} } as const;
    expect(judged(created(), sentBy(CY, 'member', remove)).body).toEqual(OPEN);
    expect(judged(created(), sentBy(CY, 'member', remove)).codes[1]).toBe('role');
    for (const [member, role] of [
      [BO, 'exporter'],
      [ADA, 'admin'],
    ] as const) {
      const { body, collection } = judged(
        created(),
        sentBy(member, role, remove),
        sentBy(ADA, 'admin', { act: 'edit', item: BOS, body: { title: 'Food' } }),
      );
      expect(body).toBeNull();
      expect(collection.list()).toEqual([]);
      expect(collection.history(BOS).map(({ act }) => act)).toEqual(['create', 'remove', 'edit']);
    }
    expect(
      judged(created(), sentBy(BO, 'member', { act: 'remove', item: BOS, body: { title: '' } })).codes[1],
    ).toBe('schema');
  });

  test('writing a record anew changes no field that its author may not change', () => {
    const first = created();
    const done = sentBy(ADA, 'admin', { act: 'edit', item: BOS, body: { status: 'done' } });
    const anew = sentBy(BO, 'member', { act: 'create', item: BOS, body: { ...OPEN, title: 'Food' } });
    expect(judged(first, done, anew).body).toEqual({ title: 'Food', status: 'done' });
    // Nor does it undo the first word on such a field.
    const twice = sentBy(BO, 'member', { act: 'create', item: BOS, body: { ...OPEN, status: 'done' } });
    expect(judged(first, twice).body).toEqual(OPEN);
    const admins = sentBy(ADA, 'admin', { act: 'create', item: BOS, body: { ...OPEN, note: 'not mine' } });
    expect(judged(first, admins).codes).toEqual([null, null]);
    const noted = sentBy(BO, 'member', { act: 'edit', item: BOS, body: { note: 'mine' } });
    expect(judged(first, noted, admins).body).toMatchObject({ note: 'mine' });
  });

  test('what is none of its acts, or has no owner, is refused', () => {
    expect(judged(sentBy(BO, 'member', { act: 'append', item: BOS, body: OPEN })).codes).toEqual([
      'unknown-act',
    ]);
    for (const item of ['', BOS.slice(1), BOS.toUpperCase(), `${BOS}0`])
      expect(judged(sentBy(BO, 'member', { act: 'create', item, body: OPEN })).codes).toEqual(['malformed']);
  });
});

describe('one’s own client', () => {
  test('refuses what the others would, before anything is sent', async () => {
    const first = created();
    for (const [member, role, act] of [
      [ADA, 'admin', 'create'],
      [CY, 'member', 'status'],
      [CY, 'member', 'remove'],
      [CY, 'member', 'renew'],
      [BO, 'exporter', 'renew'],
    ] as const) {
      const { collection, submitted } = openRequests(member, role);
      collection.accept(first.operation, first.origin);
      const refused = {
        create: () => collection.create(OPEN),
        status: () => collection.edit(BOS, { status: 'done' }),
        remove: () => collection.remove(BOS),
        renew: () => collection.renew(BOS),
      }[act]();
      await expect(refused).rejects.toMatchObject({ code: 'not-allowed' });
      expect(submitted).toEqual([]);
    }
  });

  test('sends what they take', async () => {
    const first = created();
    const { collection, submitted } = openRequests(BO, 'member');
    collection.accept(first.operation, first.origin);
    const id = await collection.create(OPEN);
    await collection.edit(BOS, { note: 'mine' });
    await collection.renew(BOS);
    await collection.remove(BOS);
    expect(id.slice(32)).toBe(BO);
    expect(submitted.map(({ act, item }) => [act, item])).toEqual([
      ['create', id],
      ['edit', BOS],
      ['create', BOS],
      ['remove', BOS],
    ]);
    expect(submitted[2]?.body).toEqual(OPEN);
    const [gone] = submitted.slice(3);
    const removal = sentBy(BO, 'member', gone as Sent['operation']);
    collection.accept(removal.operation, removal.origin);
    for (const late of [collection.edit(BOS, { note: '' }), collection.remove(BOS), collection.renew(BOS)])
      await expect(late).rejects.toMatchObject({ code: 'unknown-record' });
  });
});

test('a field that is called like what every object has, closes nothing and breaks nothing', () => {
  const loose = z.looseObject({ title: z.string(), status: z.string() });
  const collection = new RecordCollection(sensitive.record(loose, { edit: { status: ['admin'] } }), {
    name: 'requests',
    submit: async () => {},
    random: () => new Uint8Array(),
    author: () => CYS,
  });
  const body = { title: 'Water', status: 'open', constructor: 'x', toString: 'y' } as unknown as Body;
  const { operation, origin } = sentBy(BO, 'member', { act: 'create', item: BOS, body });
  expect(collection.accept(operation, origin)).toBeNull();
  expect(collection.get(BOS)?.body).toEqual(body);
});

test('two values of one device at one time, of which the schema makes what has no encoding, break nothing', () => {
  const dated = z.object({ due: z.string().transform((text) => new Date(text)) });
  const collection = new RecordCollection(sensitive.record(dated), {
    name: 'requests',
    submit: async () => {},
    random: () => new Uint8Array(),
    author: () => CYS,
  });
  for (const due of ['2026-01-01', '2026-01-02']) {
    const { operation, origin } = sentBy(BO, 'member', { act: 'create', item: BOS, body: { due } });
    expect(collection.accept({ ...operation, time: { ms: 1, counter: 0 } }, origin)).toBeNull();
  }
  expect(collection.get(BOS)?.body.due).toEqual(new Date('2026-01-01'));
});

test('what was forgotten is shown again when it is given again', () => {
  const first = created();
  const { collection } = judged(first);
  collection.forget(first.origin.epoch);
  expect([collection.get(BOS), collection.history(BOS)]).toEqual([null, []]);
  collection.accept(first.operation, first.origin);
  expect(collection.get(BOS)?.body).toEqual(OPEN);
});

test('rules name fields that there are', () => {
  const rules = { edit: { statuss: ['admin'] } } as unknown as { edit: { status: ['admin'] } };
  expect(() => sensitive.record(schema, rules)).toThrow(TypeError);
});

const CYS = { member: CY, role: 'member', device: 'c1' } as const;
