import { encodeCbor, type GroupId } from '@keytide/crypto-core';
import type { SyncState } from '@keytide/client';
import { encodeRelayFrame, type RelayFrame } from '@keytide/relay-protocol';
import type { HostileLink } from '@keytide/testkit';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hurriedPorts } from './noon-ports.ts';
import { burgle } from './loot.ts';
import { failureCodes, goesOn, hears, says, stops, until, type Person, type Stage } from './stage.ts';
import { fuzzSeed } from '../properties/fuzz-process.ts';

/** Frames that a relay should not send, at any time, in any number: the client neither falls over nor gives in. */
export function nonsenseFrames(stage: () => Stage): void {
  /** The live connection of a person. */
  async function linkOf({ client }: Person): Promise<HostileLink> {
    await client.online();
    await until(() => stage().hostile.linksOf(client.device).length > 0, 'a connection');
    return stage().hostile.linksOf(client.device).at(-1) as HostileLink;
  }

  describe('well-formed frames out of place', () => {
    test('thousands at random change nothing', async () => {
      const { ada, bo } = await stage().pair();
      const { group } = await burgle(bo);
      const seed = fuzzSeed('nonsense-frames');
      const link = await linkOf(bo);
      for (const frame of fc.sample(harmlessFrame(group), { seed, numRuns: 4000 })) link.toClient(frame);
      await goesOn(ada, bo);
      expect([bo.client.unreadable, bo.missing, bo.divergence, bo.failures]).toEqual([[], [], [], []]);
    });

    test('the end of the log before it is reached, or behind what was shown', async () => {
      const { ada, bo } = await stage().pair();
      const { group } = await burgle(bo);
      const link = await linkOf(bo);
      link.toClient({ type: 'caught-up', group, headSeq: 1_000_000 });
      await goesOn(ada, bo);
      expect(failureCodes(bo)).toEqual([]);
      (await linkOf(bo)).toClient({ type: 'caught-up', group, headSeq: 1 });
      await until(() => bo.failures.length > 0, 'bo to notice');
      expect(failureCodes(bo)).toEqual(['relay-misbehaved']);
      await goesOn(ada, bo);
    });

    test('a head that is not the end of the log: shown at most, and nothing rests on it', async () => {
      const { ada, bo } = await stage().pair();
      const states: SyncState[] = [];
      bo.client.on('state', (state) => states.push(state));
      for (const headSeq of [1, 2 ** 50]) {
        states.length = 0;
        const relent = stage().hostile.attack({
          victim: bo.client.device,
          toClient: (frame) => [frame.type === 'head' ? { ...frame, headSeq } : frame],
        });
        (await linkOf(bo)).cut();
        await until(() => states.some(({ kind }) => kind === 'offline'), 'the cut');
        await says(ada, `behind a head of ${headSeq}`);
        await hears(bo, `behind a head of ${headSeq}`);
        const told = states.flatMap((state) => (state.kind === 'catching-up' ? [state] : []));
        const totals = told.filter(({ total }) => total !== null);
        expect(totals.length).toBeGreaterThan(0);
        for (const { done, total } of totals) expect(total).toBeGreaterThanOrEqual(done);
        await bo.client.online();
        relent();
      }
      await goesOn(ada, bo);
    });

    test("the group's log rolled back: not gone on with, nothing lost, and on again once it is whole", async () => {
      const { ada, bo } = await stage().pair();
      const { group } = await burgle(bo);
      const relent = stage().hostile.attack({
        victim: bo.client.device,
        toClient(frame) {
          if (frame.type === 'entries') return [];
          return [frame.type === 'caught-up' ? { ...frame, headSeq: 2 } : frame];
        },
        toRelay: (frame) => (frame.type === 'append' ? [] : [frame]),
      });
      (await linkOf(bo)).toClient({ type: 'caught-up', group, headSeq: 2 });
      await until(() => bo.client.state.kind === 'offline', 'bo to leave');
      await bo.client.collections.chat.append({ text: 'written meanwhile' });
      expect(bo.client.waiting).toBe(1);
      relent();
      await bo.client.settled();
      await goesOn(ada, bo);
      expect(failureCodes(bo)).toEqual(['relay-misbehaved']);
    });

    test('a gap: the client asks again', async () => {
      const { ada, bo } = await stage().pair();
      const { group } = await burgle(bo);
      (await linkOf(bo)).toClient({ type: 'gap', group, firstAvailableSeq: 77 });
      await until(() => bo.failures.length > 0, 'bo to notice');
      expect(failureCodes(bo)).toEqual(['relay-misbehaved']);
      await goesOn(ada, bo);
    });

    test.each(['rate-limited', 'unavailable', 'session-ended', 'message-id-reused', 'not-a-member'])(
      'refused for no reason, with a code that passes: %s',
      async (code) => {
        const { ada, bo } = await stage().pair();
        const link = await linkOf(bo);
        link.toClient({ type: 'refused', requestId: null, code });
        link.cut();
        await until(() => bo.failures.length > 0, 'bo to be refused');
        await goesOn(ada, bo);
        expect(failureCodes(bo)).toEqual([code]);
      },
    );

    test.each(['unsupported-version', 'a-code-of-the-future'])(
      'refused for no reason, with a code that a person must act on: %s',
      async (code) => {
        const { bo } = await stage().pair();
        const link = await linkOf(bo);
        link.toClient({ type: 'refused', requestId: null, code });
        link.cut();
        expect(await stops(bo)).toMatchObject({ code: 'relay-refused', relayCode: code });
      },
    );

    test('a welcome of another version: somebody has to update', async () => {
      const { bo } = await stage().pair();
      (await linkOf(bo)).toClient(encodeCbor([16, 2, 0, 0]));
      expect(await stops(bo)).toMatchObject({
        code: 'relay-refused',
        relayCode: 'unsupported-version',
      });
    });

    test('a newer relay of the same version: a longer welcome and an unknown hint change nothing', async () => {
      const { ada, bo } = await stage().pair();
      let isLonger = false;
      stage().hostile.attack({
        victim: bo.client.device,
        toClient(frame) {
          if (frame.type !== 'welcome') return [frame];
          isLonger = true;
          const { relayTimeMs, directorySize, timeline } = frame;
          return [encodeCbor([16, 1, relayTimeMs, directorySize, timeline, 'more', 7])];
        },
      });
      (await linkOf(bo)).cut();
      await until(() => isLonger, 'the longer welcome');
      (await linkOf(bo)).toClient(encodeCbor([24, 5]));
      await goesOn(ada, bo);
      expect(failureCodes(bo)).toEqual(['offline']);
    });

    test('anything before welcome', async () => {
      const { ada, bo } = await stage().pair();
      const { group, entries } = await burgle(bo);
      let early = 1;
      stage().hostile.attack({
        victim: bo.client.device,
        toClient: (frame) =>
          frame.type === 'welcome' && early-- > 0
            ? [{ type: 'entries', group, firstSeq: 4, entries }, frame]
            : [frame],
      });
      (await linkOf(bo)).cut();
      await until(() => bo.failures.length > 1, 'bo to notice');
      expect(failureCodes(bo)).toEqual(['offline', 'relay-misbehaved']);
      await goesOn(ada, bo);
    });
  });

  describe('bytes that are no frame', () => {
    test('hundreds at random: each ends the connection, and the next one goes on', async () => {
      const { ada, bo } = await stage().pair(hurriedPorts());
      const { group, entries } = await burgle(bo);
      const seed = fuzzSeed('malformed-frames');
      const frames = malformedFrames(
        group,
        encodeRelayFrame({ type: 'entries', group, firstSeq: 1, entries }),
      );
      for (const bytes of fc.sample(frames, { seed, numRuns: 150 })) {
        const before = bo.failures.length;
        (await linkOf(bo)).toClient(bytes);
        await until(() => bo.failures.length > before, `the end of a connection after ${bytes.length} bytes`);
      }
      expect(failureCodes(bo)).toEqual(['relay-misbehaved']);
      await goesOn(ada, bo);
      expect(bo.client.unreadable).toEqual([]);
    });

    test('over the size limit', async () => {
      const { ada, bo } = await stage().pair();
      const { group } = await burgle(bo);
      const entry = { kind: 'statement' as const, bytes: new Uint8Array(1_048_576) };
      const entries = [entry, entry, entry, entry, entry];
      (await linkOf(bo)).toClient({ type: 'entries', group, firstSeq: 4, entries });
      await until(() => bo.failures.length > 0, 'bo to notice');
      expect(failureCodes(bo)).toEqual(['relay-misbehaved']);
      await goesOn(ada, bo);
    });

    test.each<[string, Uint8Array]>([
      ['of an unknown type', encodeCbor([99, 1, 2])],
      ['entries of an unknown kind', encodeCbor([18, new Uint8Array(32), 1, [[7, new Uint8Array(200)]]])],
      ['no entries at all', encodeCbor([18, new Uint8Array(32), 1, []])],
      ['nested without end', new Uint8Array(500_000).fill(0x81)],
    ])('%s', async (_, bytes) => {
      const { ada, bo } = await stage().pair();
      (await linkOf(bo)).toClient(bytes);
      await until(() => bo.failures.length > 0, 'bo to notice');
      expect(failureCodes(bo)).toEqual(['relay-misbehaved']);
      await goesOn(ada, bo);
    });
  });
}

const uint = fc.nat(2_000_000_000);

/** Frames that an honest relay could send at another time, with contents of the attacker's. */
function harmlessFrame(group: GroupId): fc.Arbitrary<RelayFrame> {
  const bytes = fc.uint8Array({ minLength: 0, maxLength: 400 });
  const kind = fc.constantFrom('envelope' as const, 'statement' as const);
  const entries = fc.array(fc.record({ kind, bytes }), { minLength: 1, maxLength: 3 });
  const other = fc
    .uint8Array({ minLength: 32, maxLength: 32 })
    .map((id) => Buffer.from(id).toString('hex') as GroupId);
  return fc.oneof(
    fc.record({ type: fc.constant('pong' as const), nonce: uint }),
    fc.record({
      type: fc.constant('welcome' as const),
      relayTimeMs: uint,
      directorySize: uint,
      timeline: fc.uint8Array({ minLength: 16, maxLength: 16 }),
    }),
    fc.record({
      type: fc.constant('appended' as const),
      requestId: fc.integer({ min: 50, max: 2 ** 31 }),
      seqs: fc.array(uint),
    }),
    fc.record({
      type: fc.constant('refused' as const),
      requestId: fc.integer({ min: 50, max: 2 ** 31 }),
      code: fc.string({ maxLength: 64 }),
    }),
    fc.record({ type: fc.constant('directory' as const), size: uint }),
    fc.record({ type: fc.constant('caught-up' as const), group: other, headSeq: uint }),
    fc.record({
      type: fc.constant('caught-up' as const),
      group: fc.constant(group),
      headSeq: fc.integer({ min: 10_000, max: 2 ** 40 }),
    }),
    fc.record({ type: fc.constant('head' as const), group: fc.constant(group), headSeq: uint }),
    fc.record({ type: fc.constant('gap' as const), group: other, firstAvailableSeq: uint }),
    fc.record({ type: fc.constant('entries' as const), group: other, firstSeq: uint, entries }),
    // Known already, or with something missing before it.
    fc.record({
      type: fc.constant('entries' as const),
      group: fc.constant(group),
      firstSeq: fc.constant(0),
      entries,
    }),
    fc.record({
      type: fc.constant('entries' as const),
      group: fc.constant(group),
      firstSeq: fc.integer({ min: 10_000, max: 2 ** 40 }),
      entries,
    }),
  );
}

/** Random bytes, and true frames cut, altered or doubled so that they are none. */
function malformedFrames(group: GroupId, frame: Uint8Array): fc.Arbitrary<Uint8Array> {
  const pong = encodeRelayFrame({ type: 'pong', nonce: 1 });
  const gap = encodeRelayFrame({ type: 'gap', group, firstAvailableSeq: 1 });
  return fc.oneof(
    fc.uint8Array({ minLength: 0, maxLength: 64 }).map((bytes) => Uint8Array.from([0x81, 0xff, ...bytes])),
    fc.nat(frame.length - 1).map((length) => frame.slice(0, length)),
    fc
      .constantFrom(pong, gap)
      .chain((whole) => fc.nat(whole.length - 1).map((length) => whole.slice(0, length))),
    fc.uint8Array({ minLength: 1, maxLength: 8 }).map((bytes) => Uint8Array.from([...pong, ...bytes])),
    fc.constant(Uint8Array.from([...pong, ...pong])),
  );
}
