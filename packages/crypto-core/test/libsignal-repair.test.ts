import { expect, test } from 'vitest';
import fc from 'fast-check';
import { toHex, uint32Bytes } from '@keytide/crypto-core';
import type { SignalChannel } from '@keytide/crypto-core/libsignal';
import { codeOfAsync } from './code-of.ts';
import { makePair } from './libsignal-world.ts';
import { keepNothing, makePeer, type TestPeer } from './pairwise-world.ts';

const MINUTE_MS = 60_000;

const side = fc.nat(1);
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ act: fc.constant('send' as const), by: side }) },
  { weight: 4, arbitrary: fc.record({ act: fc.constant('deliver' as const), which: fc.nat(1000) }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('lose session' as const), by: side }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant('notice' as const), by: side }) },
);

interface Side {
  readonly peer: TestPeer;
  readonly channel: SignalChannel;
  /** Sent by this side, as it is on its way. */
  readonly wires: Uint8Array[];
  readonly inbox: string[];
}

/** Opens a wire, and puts its plaintext into the inbox. */
async function deliver(to: Side, wire: Uint8Array): Promise<void> {
  const code = await codeOfAsync(async () => {
    to.inbox.push(toHex(await to.channel.open(wire, keepNothing)));
  });
  expect([null, 'replayed', 'session-lost']).toContain(code);
}

/** Passes one notice on; the wires that come of it are on their way. */
async function notify(from: Side, to: Side): Promise<void> {
  const notice = await from.channel.sealNotice(keepNothing);
  if (notice === null) return;
  const code = await codeOfAsync(async () => {
    to.wires.push(...(await to.channel.openNotice(notice, keepNothing)));
  });
  expect([null, 'reset-limited']).toContain(code);
}

test('whatever is lost, repeated and reordered, and sessions with it: in the end each message was opened once', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40 }), async (steps) => {
      const world = await makePair(makePeer('alice'), makePeer('bob'));
      const sides: [Side, Side] = [
        { peer: world.alice, channel: world.fromAlice, wires: [], inbox: [] },
        { peer: world.bob, channel: world.fromBob, wires: [], inbox: [] },
      ];
      const sent: [string[], string[]] = [[], []];
      const at = (by: number): Side => sides[by] as Side;
      for (const next of steps) {
        if (next.act === 'send') {
          const text = uint32Bytes((sent[next.by] as string[]).length);
          (sent[next.by] as string[]).push(toHex(text));
          at(next.by).wires.push(await at(next.by).channel.seal(text, keepNothing));
        } else if (next.act === 'deliver') {
          const from = next.which % 2;
          const { wires } = at(from);
          if (wires.length > 0) await deliver(at(1 - from), wires[next.which % wires.length] as Uint8Array);
        } else if (next.act === 'notice') {
          await notify(at(next.by), at(1 - next.by));
        } else {
          const name = `libsignal/session/${at(1 - next.by).peer.id}`;
          await at(next.by).peer.store.write([{ name, value: null }]);
        }
      }
      for (let round = 0; round < 6; round += 1) {
        for (const from of [0, 1]) for (const wire of at(from).wires) await deliver(at(1 - from), wire);
        world.clock.nowMs += 60 * MINUTE_MS;
        for (const from of [0, 1]) await notify(at(from), at(1 - from));
      }
      expect(sides[1].inbox.toSorted()).toEqual(sent[0]);
      expect(sides[0].inbox.toSorted()).toEqual(sent[1]);
    }),
    { numRuns: 30, seed: 5 },
  );
});
