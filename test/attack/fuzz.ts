import { encodeCbor, idBytes, type CborValue } from '@keytide/crypto-core';
import fc from 'fast-check';
import { expect } from 'vitest';
import { greet } from '../../packages/server-relay/test/line.ts';
import { cbor, requestTo } from './arbitrary.ts';
import { ask, type Asked } from './ask.ts';
import type { Ground } from './ground.ts';
import type { Operation } from './operations.ts';

/** All that an admin can read of the organisation: it changes when the organisation does. */
export async function stateOf({ relay, world, visitors, operations }: Ground): Promise<string> {
  const reads = [
    'log?from=0',
    'log/checkpoint',
    'log/cosignatures',
    'sealing-records?after=0',
    'mail?after=0',
  ];
  const lists = ['pre-keys', 'access/requests', 'unlock-share/attempts', 'wipe-receipts'];
  const documents = ['data/members/notes?after=0', 'data/admins/notes?after=0'];
  if (operations.length === 0) throw new Error('a relay without routes');
  const told = [...reads, ...lists, ...documents].map(async (rest) => {
    const path = `/v1/organisations/${world.org}/${rest}`;
    const { status, text } = await ask(relay.url, { method: 'GET', path, token: visitors.admin });
    if (status !== 200) throw new Error(`${rest}: ${status}`);
    return text;
  });
  return (await Promise.all(told)).join('\n');
}

/** What came of fuzzing: answers by status. */
export type Tally = Record<number, number>;

/**
 * Sends requests that nearly fit the description of their routes. Each is answered as described, below 500.
 * `tokenOf` says what is shown for each.
 */
export async function fuzzRequests(
  { relay, world }: Ground,
  operations: readonly Operation[],
  { runs, seed, tokenFor }: { runs: number; seed: number; tokenFor: (run: number) => string | undefined },
): Promise<Tally> {
  const tally: Tally = {};
  let run = 0;
  const request = fc
    .constantFrom(...operations)
    .chain((operation) =>
      requestTo(operation, world.org).map((asked): [Operation, Asked] => [operation, asked]),
    );
  await fc.assert(
    fc.asyncProperty(request, async ([operation, asked]) => {
      const told = await ask(relay.url, { ...asked, token: tokenFor((run += 1)) });
      tally[told.status] = (tally[told.status] ?? 0) + 1;
      expect(told.status, operation.name).toBeLessThan(500);
      if (told.status < 400) return;
      // A part of a path that is too strange names another route, or none.
      expect([...operation.codes, 'not-found'], operation.name).toContain(told.code);
    }),
    { numRuns: runs, seed },
  );
  return tally;
}

/** Sends frames that nearly fit; each socket lives until it is refused. Counts how they ended. */
export async function fuzzFrames(
  { relay, world, visitors }: Ground,
  { runs, seed, most }: { runs: number; seed: number; most: number },
): Promise<Tally> {
  const tally: Tally = {};
  const frames = fc.array(frameNear(idBytes(world.state.everyone)), { minLength: 1, maxLength: most });
  await fc.assert(
    fc.asyncProperty(frames, async (sent) => {
      const line = await greet(relay, visitors.member);
      for (const frame of sent) line.sendBytes(frame);
      line.sendBytes(encodeCbor([5, 1]));
      const ended = await Promise.race([line.ended, line.next('pong').then(() => 1000)]);
      line.socket.terminate();
      tally[ended] = (tally[ended] ?? 0) + 1;
      expect([1000, 1008, 1009]).toContain(ended);
    }),
    { numRuns: runs, seed },
  );
  return tally;
}

/** A frame of docs/spec/frames.md, or one with some part of it changed. */
function frameNear(group: Uint8Array): fc.Arbitrary<Uint8Array> {
  const id = (size: number) => fc.uint8Array({ minLength: size, maxLength: size });
  const place = fc.oneof({ weight: 5, arbitrary: fc.constant(group) }, { weight: 1, arbitrary: id(32) });
  const count = fc.nat(2 ** 31);
  const bytes = fc.uint8Array({ maxLength: 200 });
  const items = fc.array(fc.tuple(id(16), bytes), { minLength: 1, maxLength: 3 });
  const boxes = fc.array(fc.tuple(id(32), bytes), { maxLength: 3 });
  const right = fc.oneof(
    fc.tuple(fc.constant(2), count, place, items),
    fc.tuple(fc.constant(3), count, place, id(16), bytes, boxes),
    fc.tuple(fc.constant(4), place, count),
    fc.tuple(fc.constant(5), count),
    fc.tuple(fc.constant(6), place, bytes),
    fc.tuple(fc.constant(1), fc.constant(1), fc.string({ minLength: 1, maxLength: 90 })),
  ) as fc.Arbitrary<CborValue[]>;
  const changed = fc
    .tuple(right, fc.nat(6), cbor)
    .map(([frame, at, part]) => frame.map((old, i) => (i === at % frame.length ? part : old)));
  return fc.oneof({ weight: 3, arbitrary: right }, { weight: 1, arbitrary: changed }).map(encodeCbor);
}
