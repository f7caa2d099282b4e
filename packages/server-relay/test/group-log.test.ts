import {
  openEpochBox,
  parseEpochStatement,
  toHex,
  fromBase64Url,
  groupId,
  orgId,
} from '@keytide/crypto-core';
import { seededWorld, type SeededDevice } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { announceOf, appendOf, envelopeOf } from './group.ts';
import { greet, seqsOf, type Line } from './line.ts';
import { call, relayUnderTest, settle, tokenOf, type RelayUnderTest } from './relay-under-test.ts';

let relay: RelayUnderTest;
let count = 0;

beforeAll(async () => {
  relay = await relayUnderTest({ clock: seededWorld({ seed: 'clock', members: 1 }).clock });
});
afterAll(() => relay.close());

/** A new organisation whose devices are connected and have a first epoch. */
async function started(members = 2, seed = `group log ${(count += 1)}`) {
  const world = seededWorld({ seed, members });
  await settle(relay, world);
  const devices = world.members.map(({ devices: [device] }) => device);
  const lines: Line[] = [];
  for (const device of devices) lines.push(await greet(relay, await tokenOf(relay, world.org, device)));
  const [author] = devices as [SeededDevice];
  const [line] = lines as [Line, ...Line[]];
  const first = await announceOf(world, author, 1);
  line.send(first);
  expect(await line.next('appended')).toEqual({ type: 'appended', requestId: 1, seqs: [1] });
  return {
    world,
    devices,
    lines: lines as [Line, ...Line[]],
    line,
    author,
    first,
    group: world.state.everyone,
  };
}

test('welcome tells the time and the size of the membership log', async () => {
  const { world, line } = await started();
  const size = world.wires.length;
  const timeline = expect.any(Uint8Array);
  const welcome = { type: 'welcome', relayTimeMs: expect.any(Number), directorySize: size, timeline };
  expect(line.frames[0]).toEqual(welcome);
});

test('each device finds its box, and only its own', async () => {
  const { world, devices, first } = await started();
  const statement = parseEpochStatement(world.primitives, first.statement);
  for (const device of devices) {
    const token = await tokenOf(relay, world.org, device);
    const path = `/organisations/${world.org}/groups/${world.state.everyone}/boxes`;
    const { body } = await call(relay, 'GET', `${path}/1`, { token });
    const box = fromBase64Url(body.box) as Uint8Array;
    openEpochBox(world.primitives, [device.decapsulator], statement, device.id, box).dispose();
    const none = await call(relay, 'GET', `${path}/2`, { token });
    expect({ status: none.status, code: none.body.code }).toEqual({ status: 404, code: 'no-box' });
  }
});

test('an append is answered by its seqs, and repeating it by the same ones', async () => {
  const { world, lines, line } = await started();
  const append = appendOf(world, 7, 3);
  line.send(append);
  expect(await line.next('appended')).toEqual({ type: 'appended', requestId: 7, seqs: [2, 3, 4] });
  line.send({ ...append, requestId: 8 });
  expect(await line.next('appended')).toEqual({ type: 'appended', requestId: 8, seqs: [2, 3, 4] });
  const half = { ...append, requestId: 9, items: [append.items[1]!, ...appendOf(world, 0).items] };
  lines[1]!.send(half);
  expect(await lines[1]!.next('appended')).toEqual({ type: 'appended', requestId: 9, seqs: [3, 5] });
});

test('a message id with other bytes is refused, also within one frame; its neighbours are stored', async () => {
  const { world, line, group } = await started();
  const [item] = appendOf(world, 0).items;
  const reused = { messageId: item!.messageId, envelope: envelopeOf(world) };
  const [neighbour] = appendOf(world, 0).items;
  line.send({ type: 'append', requestId: 2, group, items: [item!, reused, neighbour!] });
  expect(await line.next('refused')).toEqual({ type: 'refused', requestId: 2, code: 'message-id-reused' });
  line.send({ type: 'append', requestId: 3, group, items: [item!, neighbour!] });
  expect((await line.next('appended')).seqs).toEqual([2, 3]);
});

test('what does not belong is refused with a code, and the connection goes on', async () => {
  const { world, line, author, first } = await started();
  const other = groupId(world.random(32));
  const stranger = (await started()).author;
  const good = appendOf(world, 0);
  const single = (envelope: Uint8Array) => [{ messageId: world.random(16), envelope }];
  const next = () => announceOf(world, author, 1, { epoch: 1, hash: first.hash });
  const bySecond = await announceOf(world, world.members[1]!.devices[0], 1, { epoch: 1, hash: first.hash });
  const announce = await next();
  const spoiled = new Uint8Array(announce.statement);
  spoiled[spoiled.length - 1] = (spoiled.at(-1) as number) ^ 1;
  const [box] = announce.boxes;
  const foreign = await announceOf(seededWorld({ seed: 'foreign', members: 1 }), author, 1).catch(
    () => announce,
  );
  expect(foreign).toBe(announce);
  for (const [frame, code] of [
    [{ ...good, group: other }, 'unknown-group'],
    [{ ...good, items: single(envelopeOf(world, 300, 1, other)) }, 'wrong-group'],
    [{ ...good, items: single(envelopeOf(world, 300, 2)) }, 'unknown-epoch'],
    [{ ...good, items: single(envelopeOf(world, 300, 0)) }, 'unknown-epoch'],
    [{ ...good, items: single(world.random(300)) }, 'unsupported-version'],
    [{ ...good, items: single(envelopeOf(world, 100)) }, 'malformed'],
    [{ ...announce, group: other }, 'unknown-group'],
    [{ ...announce, statement: world.random(100) }, 'malformed'],
    [{ ...announce, statement: spoiled }, 'statement-refused'],
    [bySecond, 'wrong-author'],
    [{ ...announce, boxes: [...announce.boxes, { device: stranger.id, box: box!.box }] }, 'not-a-recipient'],
    [{ ...announce, boxes: [...announce.boxes, box!] }, 'malformed'],
    [{ ...first, messageId: world.random(16) }, 'epoch-taken'],
    [await announceOf(world, author, 1, { epoch: 2, hash: first.hash }), 'epoch-taken'],
  ] as const) {
    line.send({ ...frame, requestId: 40 });
    expect(await line.next('refused')).toEqual({ type: 'refused', requestId: 40, code });
  }
  line.send(announce);
  expect((await line.next('appended')).seqs).toEqual([2]);
});

test('a statement that every receiver would refuse does not take the number of its epoch', async () => {
  const { world, line, author, first } = await started();
  const previous = { epoch: 1, hash: first.hash };
  const { state, primitives, clock } = world;
  const recipients = [
    { device: author.id, encapsulator: primitives.encapsulator(author.decapsulator.publicKey) },
  ];
  const blockMs = state.policy.blockSeconds * 1000;
  const blockStartMs = Math.floor(clock.now() / blockMs) * blockMs + 10 * blockMs;
  const future = { blockStartMs, blockEndMs: blockStartMs + blockMs, createdMs: blockStartMs };
  const complete = await announceOf(world, author, 1, previous);
  for (const [announce, code] of [
    [await announceOf(world, author, 1, previous, { recipients }), 'statement-refused'],
    [await announceOf(world, author, 1, { epoch: 1, hash: world.random(32) }), 'statement-refused'],
    [await announceOf(world, author, 1, previous, future), 'statement-refused'],
    [
      await announceOf(world, author, 1, previous, { blockEndMs: blockStartMs + 400 * blockMs }),
      'statement-refused',
    ],
    [
      await announceOf(world, author, 1, previous, {
        checkpoint: { size: state.size - 1, root: world.random(32) },
      }),
      'stale-directory',
    ],
    [await announceOf(world, author, 1, previous, { org: orgId(world.random(32)) }), 'wrong-group'],
    [{ ...complete, boxes: complete.boxes.slice(1) }, 'stale-directory'],
    [{ ...complete, boxes: [] }, 'stale-directory'],
  ] as const) {
    line.send({ ...announce, requestId: 41 });
    expect(await line.next('refused')).toEqual({ type: 'refused', requestId: 41, code });
  }
  line.send(complete);
  expect((await line.next('appended')).seqs).toEqual([2]);
});

test('a statement is checked also when the epoch before it is announced at the same moment', async () => {
  const { world, lines, author, first } = await started(2);
  const [line, other] = lines as [(typeof lines)[0], (typeof lines)[0]];
  const next = await announceOf(world, author, 1, { epoch: 1, hash: first.hash });
  const second = world.members[1]!.devices[0];
  const junk = await announceOf(world, second, 1, { epoch: 2, hash: world.random(32) });
  line.send(next);
  other.send({ ...junk, boxes: [] });
  expect((await line.next('appended')).seqs).toEqual([2]);
  expect((await other.next('refused')).code).toBe('epoch-taken');
});

test('of rival statements for one epoch one wins, everywhere', async () => {
  const { world, devices, lines, first, group } = await started(4);
  const rivals: Awaited<ReturnType<typeof announceOf>>[] = [];
  for (const device of devices)
    rivals.push(await announceOf(world, device, 5, { epoch: 1, hash: first.hash }));
  for (const line of lines) line.send({ type: 'subscribe', group, afterSeq: 1 });
  lines.forEach((line, i) => line.send(rivals[i]!));
  const answers = await Promise.all(
    lines.map((line) => Promise.any([line.next('appended'), line.next('refused')])),
  );
  const winners = answers.flatMap((answer, i) => (answer.type === 'appended' ? [rivals[i]!] : []));
  expect(winners).toHaveLength(1);
  expect(answers.filter((answer) => answer.type === 'refused' && answer.code === 'epoch-taken')).toHaveLength(
    3,
  );
  for (const line of lines) {
    const { entries, firstSeq } = await line.next('entries');
    expect({ firstSeq, entries }).toEqual({
      firstSeq: 2,
      entries: [{ kind: 'statement', bytes: winners[0]!.statement }],
    });
  }
});

test('catching up and going live under concurrent appends leaves no gap and no duplicate', async () => {
  const seed = 'tide 1';
  const { world, lines, group } = await started(3, seed);
  const random = (below: number): number => (world.random(1)[0] as number) % below;
  const sent = new Map<string, string>();
  let answered = 0;
  const followers: { line: Line; afterSeq: number }[] = [];
  for (let round = 0; round < 40; round += 1) {
    for (const line of lines) {
      const append = appendOf(world, round, 1 + random(12), 200 + random(100) * 20);
      for (const { messageId, envelope } of append.items) sent.set(toHex(messageId), toHex(envelope));
      line.send(append);
    }
    if (round % 4 === 0) {
      const token = await tokenOf(relay, world.org, world.members[random(3)]!.devices[0]);
      const line = await greet(relay, token);
      const afterSeq = random(Math.max(1, answered));
      line.send({ type: 'subscribe', group, afterSeq });
      followers.push({ line, afterSeq });
    }
    // Some rounds pile up, others wait.
    if (random(3) === 0)
      for (const line of lines) answered = Math.max(answered, ...(await line.next('appended')).seqs);
  }
  const head = sent.size + 1;
  for (const { line, afterSeq } of followers) {
    while (seqsOf(line).at(-1) !== head) await line.next('entries');
    const expected = Array.from({ length: head - afterSeq }, (_, i) => afterSeq + 1 + i);
    expect(seqsOf(line), `seed ${seed}`).toEqual(expected);
    line.socket.close();
  }
  const entries = followers[0]!.line.frames.flatMap((frame) =>
    frame.type === 'entries' ? frame.entries : [],
  );
  const stored = entries.map(({ bytes }) => toHex(bytes));
  const unseen = new Set(sent.values());
  for (const bytes of stored) unseen.delete(bytes);
  expect(unseen.size).toBeLessThanOrEqual(followers[0]!.afterSeq);
}, 120_000);

test('a client that is ahead of the log learns where the log ends', async () => {
  const { line, group } = await started();
  line.send({ type: 'subscribe', group, afterSeq: 1_000 });
  expect(await line.next('caught-up')).toEqual({ type: 'caught-up', group, headSeq: 1 });
});
