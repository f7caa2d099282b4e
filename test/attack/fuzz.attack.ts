import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fuzzSeed } from '../properties/fuzz-process.ts';
import { fuzzFrames, fuzzRequests, stateOf } from './fuzz.ts';
import { openGround, type Ground } from './ground.ts';
import { takesSession } from './operations.ts';

/** Sends requests and frames made from what describes them, so many in all. */
export function attackWithFuzz(runs: number): void {
  const each = Math.ceil(runs / 4);
  const seed = fuzzSeed('attack');
  let ground: Ground;
  beforeAll(async () => {
    ground = await openGround();
  });
  afterAll(() => ground.relay.close());

  /** The relay had no trouble of its own. */
  const isUntroubled = () =>
    expect(ground.relay.events.filter(({ event }) => event === 'failed')).toEqual([]);

  describe('API2: Broken authentication', () => {
    test('bodies made from the description, shown with what is no session, change nothing and are never a failure', async () => {
      const { operations, pretenders } = ground;
      const before = await stateOf(ground);
      const tokens = [...pretenders.values()];
      const guarded = operations.filter(takesSession);
      const tokenFor = (run: number) => tokens[run % tokens.length];
      const tally = await fuzzRequests(ground, guarded, { runs: each, seed, tokenFor });
      expect(Object.keys(tally).filter((status) => ['200', '201'].includes(status))).toEqual([]);
      expect(tally[401]).toBeGreaterThan(each / 2);
      expect(await stateOf(ground)).toBe(before);
      isUntroubled();
    });
  });

  describe('API5: Broken function level authorization', () => {
    test('bodies made from the description, from strangers, invites, recovery keys and wiped devices, change nothing and are never a failure', async () => {
      const { visitors, operations } = ground;
      const before = await stateOf(ground);
      const tokens = [undefined, visitors.invite, visitors.recovery, visitors.wiped];
      const tokenFor = (run: number) => tokens[run % tokens.length];
      // A log-out ends the session that goes on asking.
      const others = operations.filter(({ path }) => !path.endsWith('/sessions/end'));
      await fuzzRequests(ground, others, { runs: each, seed, tokenFor });
      expect(await stateOf(ground)).toBe(before);
      isUntroubled();
    });
  });

  describe('API8: Security misconfiguration', () => {
    test('bodies made from the description, by who may send them, are answered as described and never a failure', async () => {
      const { visitors, operations } = ground;
      const others = operations.filter(({ path }) => !path.endsWith('/sessions/end'));
      const tally = await fuzzRequests(ground, others, { runs: each, seed, tokenFor: () => visitors.admin });
      expect((tally[200] ?? 0) + (tally[201] ?? 0)).toBeGreaterThan(each / 50);
      isUntroubled();
    });

    test('frames made from their layout are answered, refused or cut off, and never a failure', async () => {
      const tally = await fuzzFrames(ground, { runs: each, seed, most: 4 });
      expect(tally[1008]).toBeGreaterThan(0);
      expect(tally[1000]).toBeGreaterThan(0);
      isUntroubled();
    });
  });
}
