import { deviceId, orgId } from '@keytide/crypto-core';
import { nodePrimitives } from '@keytide/crypto-core/node';
import { openStore, type NewSession, type RelayStore } from '@keytide/server-relay';
import { memoryDatabase, seededRandom } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { enter } from '../src/enter.ts';
import { ALONE } from '../src/cluster/lease.ts';
import { RelayError } from '../src/errors.ts';
import { createSessionWatch, type SessionWatch } from '../src/session-watch.ts';

let store: RelayStore;
const watches: SessionWatch[] = [];
beforeAll(async () => {
  ({ store } = await openStore(memoryDatabase(), nodePrimitives, 0));
});
afterAll(async () => {
  for (const watch of watches) await watch.close();
  await store.close();
});

const LOOK_MS = 5;

/** A watch whose store answers or not. */
function watchOf(lookMs = LOOK_MS) {
  const under = { isDown: false, failures: 0 };
  const watch = createSessionWatch({
    store: {
      ...store,
      readOrgHeads: (orgs) => (under.isDown ? Promise.reject(new Error('down')) : store.readOrgHeads(orgs)),
    },
    lookMs,
    failed: () => (under.failures += 1),
  });
  watches.push(watch);
  return { watch, under };
}

/** An organisation, and how it begins sessions of one device. */
async function organisation(seed: string) {
  const random = seededRandom(seed);
  const org = orgId(random(32));
  const growth = { hashes: [], nodes: [{ hash: random(32), bytes: random(98) }], checkpoint: random(300) };
  await store.createOrganisation({ org, wire: random(100), growth, nowMs: 0 });
  async function begin(): Promise<NewSession> {
    const subject = { kind: 'device', id: '7a'.repeat(32) } as const;
    const tokens = { id: random(32), tokenHash: random(32), refreshHash: random(32) };
    const session = { org, subject, ...tokens, expiresMs: 1_000, endsMs: 1_000 };
    await store.putSession(session, 9);
    return session;
  }
  return { org, begin };
}

/** Sessions that are followed; `over` says which were ended, in their order. */
async function followed(watch: SessionWatch, seed: string, count: number) {
  const { org, begin } = await organisation(seed);
  const over: number[] = [];
  const ids: Uint8Array[] = [];
  for (let i = 0; i < count; i += 1) {
    const { id, tokenHash } = await begin();
    ids.push(id);
    const stored = await store.readSession(org, tokenHash);
    if (stored !== null) watch.follow(stored, () => over.push(i));
  }
  return { org, ids, over };
}

test('what was ended elsewhere is noticed at the next look, and nothing else is ended', async () => {
  const { watch } = watchOf();
  const { org, ids, over } = await followed(watch, 'elsewhere', 3);
  const far = await followed(watch, 'far', 1);
  await store.endSessions({ of: 'session', org, id: ids[1] as Uint8Array });
  await expect.poll(() => over).toEqual([1]);
  await store.endSessions({ of: 'organisation', org });
  await expect.poll(() => over).toEqual([1, 0, 2]);
  expect(far.over).toEqual([]);
  await store.endSessions({ of: 'relay' });
  await expect.poll(() => far.over).toEqual([0]);
});

test('a session that was read before others were ended is looked at too', async () => {
  const { watch } = watchOf();
  const { org, begin } = await organisation('read before');
  const session = await begin();
  const read = await store.readSession(org, session.tokenHash);
  await store.endSessions({ of: 'session', org, id: session.id });
  const over: string[] = [];
  if (read !== null) watch.follow(read, () => over.push('over'));
  await expect.poll(() => over).toEqual(['over']);
});

test('what is ended here has ended when it says so, without a look', async () => {
  const { watch } = watchOf(60_000);
  const { org, ids, over } = await followed(watch, 'here', 3);
  await watch.end({ of: 'session', org, id: ids[2] as Uint8Array });
  expect(over).toEqual([2]);
  await watch.end({ of: 'devices', org, devices: [deviceId('7a'.repeat(32))], but: ids[0] as Uint8Array });
  expect(over).toEqual([2, 1]);
  await watch.end({ of: 'devices', org, devices: [deviceId('7b'.repeat(32))], but: null });
  expect(over).toEqual([2, 1]);
});

test('without an answer of the store nothing is believed, until it answers again', async () => {
  const { watch, under } = watchOf();
  await followed(watch, 'down', 1);
  expect(watch.isFresh()).toBe(true);
  under.isDown = true;
  await expect.poll(() => watch.isFresh()).toBe(false);
  const fresh = watch.fresh().then(() => watch.isFresh());
  const soon = await Promise.race([
    fresh,
    new Promise((resolve) => setTimeout(() => resolve('not yet'), 50)),
  ]);
  expect(soon).toBe('not yet');
  expect(under.failures).toBe(1);
  under.isDown = false;
  expect(await fresh).toBe(true);
});

test('an organisation whose log cannot be understood costs the others nothing, and shows nothing itself', async () => {
  const bad = await organisation('bad log');
  let wrong: Error | null = null;
  let renewed = 0;
  const broken: string[] = [];
  const watch = createSessionWatch({
    store,
    lookMs: 60_000,
    // As that of a node that is not alone: what its look throws takes it its right to show anything.
    lease: {
      ...ALONE,
      async during(look) {
        await look();
        renewed += 1;
      },
    },
    caughtUp: (org) => (org === bad.org && wrong !== null ? Promise.reject(wrong) : Promise.resolve()),
    failed: () => expect.fail('the store answers'),
    broken: (org) => broken.push(org),
  });
  watches.push(watch);
  const good = await followed(watch, 'good log', 1);
  const session = await store.readSession(bad.org, (await bad.begin()).tokenHash);
  const over: string[] = [];
  if (session !== null) watch.follow(session, () => over.push('over'));
  await watch.look();
  expect([over, broken]).toEqual([[], []]);

  wrong = new Error('an entry that no rule lets in');
  const before = renewed;
  await watch.look();
  expect(renewed).toBeGreaterThan(before);
  expect([over, broken, good.over]).toEqual([['over'], [bad.org], []]);
  // Whoever asks about it alone has to hear it.
  await expect(watch.check(bad.org)).rejects.toBe(wrong);
  await watch.check(good.org);
  expect(watch.isFresh()).toBe(true);
  // What the database does not answer is nobody's in particular.
  wrong = new RelayError('database-failed', 'gone');
  if (session !== null) watch.follow(session, () => over.push('again'));
  await expect(watch.look()).rejects.toBe(wrong);
  wrong = null;
  expect(over).toEqual(['over']);
});

test('whoever comes in while their session is ended does not come in', async () => {
  const { watch } = watchOf(60_000);
  const { org, begin } = await organisation('coming in');
  const session = await begin();
  const released: string[] = [];
  const entering = enter(
    {
      watch,
      logins: {
        async session() {
          const found = await store.readSession(org, session.tokenHash);
          if (found === null) throw Object.assign(new Error('ended'), { code: 'session-ended' });
          return found;
        },
      },
      organisations: {
        // A membership log that takes long to load: meanwhile the device is logged out.
        async pin() {
          await watch.end({ of: 'session', org, id: session.id });
          return { organisation: {} as never, release: () => void released.push('released') };
        },
      },
    },
    'token',
  );
  await expect(entering).rejects.toMatchObject({ code: 'session-ended' });
  expect(released).toEqual(['released']);
});

test('whoever comes in while a node looks is looked up again: that look did not know of them', async () => {
  let looks = 0;
  const watch = createSessionWatch({
    store,
    lookMs: 60_000,
    failed: () => undefined,
    lease: {
      node: null,
      isHeld: () => true,
      looks: () => looks,
      async during(look) {
        looks += 1;
        await look();
      },
      everywhere: () => Promise.resolve(),
      release: () => Promise.resolve(),
    },
  });
  watches.push(watch);
  const { org, begin } = await organisation('coming in while it looks');
  const session = await begin();
  let found = 0;
  let released = 0;
  await enter(
    {
      watch,
      logins: {
        async session() {
          found += 1;
          return (await store.readSession(org, session.tokenHash)) as never;
        },
      },
      organisations: {
        async pin() {
          if (found === 1) await watch.look();
          return { organisation: {} as never, release: () => void (released += 1) };
        },
      },
    },
    'token',
  );
  expect([found, released]).toEqual([2, 1]);
});
