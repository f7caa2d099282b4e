import {
  jsonLines,
  readJsonLines,
  recordStates,
  type OpenedEntries,
  type OpenedEntry,
  type RecordState,
} from '@keytide/archive/formats';
import { deviceId, groupId, memberId, fromHex, type CborValue } from '@keytide/crypto-core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { recordMerge } from '../src/export.ts';
import { defineOrganisation, sensitive, type Declarations } from '../src/index.ts';
import { encodeOperation, parseOperation, type Operation } from '../src/operation.ts';
import { log } from './record-log.ts';
import { ADA, BO, CY, definition, idOf, openRequests, type Sent } from './record-world.ts';

const GROUP = groupId(new Uint8Array(32).fill(1));
const bytes = (hex: string): Uint8Array => fromHex(hex) as Uint8Array;

/** What an archive has of an operation; `code`: why the exporter let it count for nothing. */
function entryOf({ operation, origin }: Sent, code: string | null, endMs: number | null): OpenedEntry {
  const { seq, epoch, role, device, member } = origin;
  return {
    ...{ group: GROUP, name: 'somebody', endMs },
    entry: {
      ...{ kind: 'message', seq, epoch, role, counter: seq, envelope: Uint8Array.of(1), attachments: [] },
      ...{ sender: deviceId(bytes(device.repeat(32))), member: memberId(bytes(member)) },
      ...{ channel: new Uint8Array(16), payload: encodeOperation(operation), invalid: code },
    },
  };
}

/** A device that was given this log, and the log as JSON lines of its archive. */
function deviceAndArchive(sent: readonly Sent[], endMs: number | null, isJudged: boolean) {
  const { collection } = openRequests(CY, 'member');
  const entries: OpenedEntry[] = [{ group: GROUP, name: null, endMs, entry: UNREADABLE }];
  for (const one of sent) {
    // Ties between devices are between the same ids in both.
    const origin = { ...one.origin, device: one.origin.device.repeat(32) };
    const operation = parseOperation(encodeOperation(one.operation), endMs ?? Infinity) as Operation;
    const code = collection.accept(operation, origin);
    entries.push(entryOf(one, isJudged ? code : 'unknown-collection', endMs));
  }
  return { collection, archive: (): OpenedEntries => () => readJsonLines(jsonLines(() => entries)) };
}

const UNREADABLE = {
  kind: 'unreadable',
  seq: 99,
  envelope: Uint8Array.of(1),
  epoch: 1,
  code: 'tampered',
} as const;

async function statesOf(entries: OpenedEntries, by: Declarations): Promise<RecordState[]> {
  const states: RecordState[] = [];
  for await (const state of recordStates(entries, { collection: 'requests', merge: recordMerge(by) }))
    states.push(state);
  return states;
}

const shownIn = (states: readonly RecordState[]) =>
  states
    .filter(({ state }) => state === 'shown')
    .map(({ id, body }) => ({ id, body, pending: false }))
    .toSorted((a, b) => (a.id < b.id ? -1 : 1));

describe('records of an archive', () => {
  test('that was read back from JSON lines are those that the device shows, whatever was done to them', async () => {
    const seen = { shown: 0, removed: 0, incomplete: 0 };
    await fc.assert(
      fc.asyncProperty(log, fc.option(fc.nat(4)), fc.boolean(), async (sent, endMs, isJudged) => {
        const { collection, archive } = deviceAndArchive(sent, endMs, isJudged);
        const states = await statesOf(archive(), definition);
        expect(shownIn(states)).toEqual(collection.list());
        for (const { id, state, changes, rejected } of states) {
          const history = collection.history(id);
          const counted = history.filter((operation) => operation.rejected === null);
          expect([changes, rejected]).toEqual([counted.length, history.length - counted.length]);
          seen[state] += 1;
        }
      }),
      { seed: 20_261_122, numRuns: 150 },
    );
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(10);
  });

  test('where the application is not known, everybody may do everything, and what was said is kept', async () => {
    const edit = sentAs(ADA, 'member', 2, 'edit', { status: 'done', extra: 1 });
    const { archive } = deviceAndArchive([sentAs(ADA, 'member', 1, 'create', whole), edit], null, false);
    expect(shownIn(await statesOf(archive(), {}))).toMatchObject([
      { body: { title: 'x', status: 'done', extra: 1 } },
    ]);
  });
});

const whole = { title: 'x', status: 'open' };
const ID = idOf(ADA, 1);

function sentAs(
  member: string,
  role: Sent['origin']['role'],
  ms: number,
  act: Operation['act'],
  body: { [field: string]: CborValue },
): Sent {
  return {
    operation: { act, collection: 'requests', item: ID, time: { ms, counter: 0 }, body },
    origin: { seq: ms, epoch: 1, device: `${member.slice(0, 1)}1`, member, role, handle: '', timeMs: ms },
  };
}

describe('fields that the schema does not know', () => {
  test('stay as they were written, beside what the application shows', async () => {
    const sent = [
      sentAs(ADA, 'member', 1, 'create', { ...whole, later: { deep: [1] }, ['toString']: 'mine' }),
      sentAs(BO, 'member', 2, 'edit', { title: 'y', later: 2 }),
    ];
    const { collection, archive } = deviceAndArchive(sent, null, true);
    expect(collection.get(ID)?.body).toEqual({ title: 'y', status: 'open' });
    const [state] = await statesOf(archive(), definition);
    expect(state?.body).toEqual({ title: 'y', status: 'open', later: 2, toString: 'mine' });
  });

  test('are changed by those who may change all fields', async () => {
    const closed = defineOrganisation({
      requests: sensitive.record(z.object({ title: z.string().optional() }), { edit: ['admin'] }),
    });
    const sent = [
      sentAs(ADA, 'member', 1, 'create', { later: 'first' }),
      sentAs(BO, 'member', 2, 'edit', { later: 'by a member', other: 'too' }),
      sentAs(BO, 'admin', 3, 'edit', { later: 'by an admin' }),
      sentAs(ADA, 'member', 4, 'create', { later: 'again' }),
    ];
    const states = async (count: number) =>
      (await statesOf(deviceAndArchive(sent.slice(0, count), null, false).archive(), closed))[0]?.body;
    expect([await states(2), await states(4)]).toEqual([{ later: 'first' }, { later: 'by an admin' }]);
  });
});

test('what a schema makes of a value is there as JSON has it', async () => {
  const strange = defineOrganisation({
    requests: sensitive.record(z.object({ at: z.coerce.date(), many: z.coerce.bigint(), no: z.any() }), {}),
  });
  const made = sentAs(ADA, 'member', 1, 'create', { at: '2026-02-03', many: 7, no: null });
  const [state] = await statesOf(deviceAndArchive([made], null, false).archive(), strange);
  expect(state?.body).toEqual({ at: '2026-02-03T00:00:00.000Z', many: '7', no: null });
});
