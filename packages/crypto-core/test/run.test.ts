import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  acceptMessage,
  createEpoch,
  EMPTY_WINDOW,
  nextWindow,
  openMessage,
  parseEnvelopeHeader,
  parseEpochStatement,
  sealMessage,
  settleRun,
  unsealMessage,
  verifyRuns,
  type DeviceId,
  type EpochKeys,
  type OpenedMessage,
  type RunVerdict,
  type SenderHead,
  type UnverifiedMessage,
  type Unvouched,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { codeOf } from './code-of.ts';
import {
  anySteps,
  authenticOneByOne,
  honestSenders,
  openEach,
  playSteps,
  type LogItem,
  type Step,
  type Verdict,
} from './message-log.ts';
import { openedWorld, openFor, type TestDevice } from './world.ts';

const world = await openedWorld('runs');
const [alice, bob] = world.devices as [TestDevice, TestDevice];
const second = await createEpoch({
  ...world.input,
  previous: { epoch: 1, hash: world.created.hash },
  reason: 'on-demand',
});
const epochs = [
  world.keysOf(alice),
  openFor(world.devices, alice, parseEpochStatement(primitives, second.statement), second.boxes),
];
const keysOf = (envelope: Uint8Array) => epochs[parseEnvelopeHeader(envelope).epoch - 1] as EpochKeys;
const play = (steps: readonly Step[]) => playSteps(world, epochs, steps);

function unseal(envelope: Uint8Array): UnverifiedMessage | null {
  const code = codeOf(() => unsealMessage(keysOf(envelope), envelope));
  if (code === null) return unsealMessage(keysOf(envelope), envelope);
  expect(code).toBe('decryption-failed');
  return null;
}

/** The verdicts of a receiver that is given the log in portions, as they stand after the last one. */
function openInPortions(log: readonly LogItem[], sizes: readonly number[]): Verdict[] {
  const verdicts: Verdict[] = [];
  const waiting = new Map<DeviceId, Unvouched<number>>();
  for (let start = 0, turn = 0; start < log.length; turn += 1) {
    const end = Math.min(log.length, start + (sizes[turn % sizes.length] as number));
    const portion = log.slice(start, end).map(({ envelope }) => unseal(envelope));
    const decided = verifyRuns(portion.filter((message) => message !== null)).values();
    for (const [index, message] of portion.entries()) {
      const seq = start + index;
      const verdict = message === null ? 'decryption-failed' : (decided.next().value as Verdict);
      verdicts[seq] = verdict;
      if (message === null) continue;
      const sender = message.claimedSender;
      const noted = { message, note: seq };
      const { admitted, unvouched } = settleRun(waiting.get(sender) ?? [], noted, verdict as OpenedMessage);
      for (const { message: late, note } of admitted) verdicts[note] = late;
      waiting.set(sender, unvouched);
    }
    start = end;
  }
  return verdicts;
}

/** The final verdicts after each sender's chain, in the log's order. */
function chained(verdicts: readonly Verdict[]): string[] {
  const heads = new Map<DeviceId, SenderHead>();
  return verdicts.map((verdict) => {
    if (typeof verdict === 'string') return verdict;
    const code = codeOf(() =>
      heads.set(verdict.sender, acceptMessage(heads.get(verdict.sender) ?? null, verdict).head),
    );
    return code ?? 'accepted';
  });
}

const portions = fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 6 });

describe('run verification', () => {
  test('senders that sign what they write: exactly the verdicts of checking each, whatever others do', () => {
    fc.assert(
      fc.property(honestSenders, portions, (steps, sizes) => {
        const log = play(steps);
        const alone = openEach(keysOf, log);
        expect(openInPortions(log, [log.length || 1])).toEqual(alone);
        expect(openInPortions(log, sizes)).toEqual(alone);
      }),
    );
  });

  test('any senders: the rule of the specification, in whatever portions the log comes', () => {
    fc.assert(
      fc.property(anySteps, portions, (steps, sizes) => {
        const log = play(steps);
        const alone = openEach(keysOf, log);
        const authentic = authenticOneByOne(log, alone);
        const whole = openInPortions(log, [log.length || 1]);
        expect(whole.map((verdict) => typeof verdict !== 'string')).toEqual(authentic);
        for (const [index, verdict] of whole.entries()) {
          if (typeof alone[index] !== 'string' || !authentic[index]) expect(verdict).toEqual(alone[index]);
          else expect((verdict as OpenedMessage).link).toEqual(log[index]?.link);
        }
        const live = openInPortions(log, [1]);
        expect(live).toEqual(whole);
        expect(openInPortions(log, sizes)).toEqual(whole);
        expect(chained(live)).toEqual(chained(whole));
      }),
      { numRuns: 200 },
    );
  });

  test('one signature is checked for a run of a sender, and one more for each wrong one at its end', () => {
    const write = (count: number, who: number): Step[] =>
      Array.from({ length: count }, () => ({ act: 'write', who }));
    const unsigned: Step = { act: 'write-unsigned', who: 0 };
    for (const [steps, checks] of [
      [write(20, 0), 1],
      [[...write(9, 0), ...write(9, 1), ...write(9, 0)], 2],
      [[...write(5, 0), unsigned, ...write(5, 0)], 1],
      [[...write(5, 0), unsigned, unsigned], 3],
      [[...write(5, 0), { act: 'drop', at: 2 } as const], 2],
    ] as const) {
      let checked = 0;
      const counting = world.devices.map(({ id, verifier }) => ({
        id,
        verifier: {
          publicKey: verifier.publicKey,
          verify: (message: Uint8Array, signature: Uint8Array) => {
            checked += 1;
            return verifier.verify(message, signature);
          },
        },
      }));
      const keys = openFor(counting as TestDevice[], bob, world.statement, world.created.boxes);
      const log = playSteps(world, [keys, keys], steps);
      verifyRuns(log.map(({ envelope }) => unsealMessage(keys, envelope)));
      expect(checked).toBe(checks);
    }
  });

  test('a sender cannot be made to vouch for what another member wrote in its name', () => {
    const log = play([
      { act: 'write', who: 0 },
      { act: 'impersonate', who: 0 },
      { act: 'write', who: 0 },
    ]);
    expect(chained(openInPortions(log, [3]))).toEqual(['accepted', 'bad-signature', 'accepted']);
  });

  test('a forgery in the place of a true message is not carried by the true ones around it', () => {
    const write: Step = { act: 'write', who: 0 };
    const log = play([write, write, write, { act: 'replace', at: 1 }]);
    for (const sizes of [[1], [2], [3]])
      expect(chained(openInPortions(log, sizes))).toEqual(['accepted', 'bad-signature', 'accepted']);
  });

  test('a message is not carried by one that names it and leaves a counter out', () => {
    const log = play([
      { act: 'write', who: 0 },
      { act: 'write-unsigned', who: 0 },
      { act: 'skip', who: 0 },
    ]);
    for (const sizes of [[1], [2], [3]])
      expect(chained(openInPortions(log, sizes))).toEqual(['accepted', 'bad-signature', 'accepted']);
  });

  test('a message that its sender signed wrongly, on purpose, is accepted once the next one names it', () => {
    const log = play([
      { act: 'write', who: 0 },
      { act: 'write-unsigned', who: 0 },
      { act: 'write-unsigned', who: 0 },
      { act: 'write', who: 0 },
    ]);
    const refused = ['accepted', 'bad-signature', 'bad-signature'];
    expect(chained(openInPortions(log.slice(0, 3), [1]))).toEqual(refused);
    expect(chained(openInPortions(log.slice(0, 3), [3]))).toEqual(refused);
    for (const sizes of [[1], [2], [3], [4]])
      expect(chained(openInPortions(log, sizes))).toEqual(Array(4).fill('accepted'));
  });

  test('an unverified message shows nothing but the sender it claims', () => {
    const [item] = play([{ act: 'write', who: 0 }]) as [LogItem];
    const message = unsealMessage(keysOf(item.envelope), item.envelope);
    expect(Object.keys(message)).toEqual(['claimedSender']);
    expect(JSON.stringify(message)).toBe(JSON.stringify({ claimedSender: alice.id }));
  });

  test('unsealing refuses what opening refuses', () => {
    const [item] = play([{ act: 'write', who: 0 }]) as [LogItem];
    const codes = (envelope: Uint8Array, keys: EpochKeys) => [
      codeOf(() => unsealMessage(keys, envelope)),
      codeOf(() => openMessage(keys, envelope)),
    ];
    const [first, next] = epochs as [EpochKeys, EpochKeys];
    expect(codes(item.envelope, first)).toEqual([null, null]);
    expect(codes(item.envelope, next)).toEqual(['wrong-context', 'wrong-context']);
    expect(codes(item.envelope.subarray(0, 169), first)).toEqual(['malformed', 'malformed']);
  });

  describe('a message that names one of', async () => {
    const place = {
      channel: world.random(16),
      heads: { directory: world.checkpoint, group: world.checkpoint },
      payload: world.random(3),
      random: world.random,
    };
    const [here] = epochs as [EpochKeys];
    const unsigned = {
      ...place,
      signer: { ...alice.signer, sign: () => world.random(64) },
      sender: alice.id,
      counter: 0,
      previousLink: new Uint8Array(32),
    };
    /** What becomes of the unsigned message when one that `names` it follows, in one portion and in two. */
    const carries = (first: UnverifiedMessage, next: UnverifiedMessage): boolean[] => {
      const [verdict, own] = verifyRuns([first, next]);
      const { admitted } = settleRun(
        [{ message: first, note: 0 }],
        { message: next, note: 1 },
        own as RunVerdict,
      );
      expect(typeof own).toBe('object');
      return [typeof verdict !== 'string', admitted.length > 0];
    };
    const naming = (link: Uint8Array, { signer, id }: TestDevice) =>
      unsealMessage(
        here,
        sealMessage(here, { ...place, signer, sender: id, counter: 1, previousLink: link }).envelope,
      );

    test('the same sender carries it', () => {
      const { envelope, link } = sealMessage(here, unsigned);
      expect(carries(unsealMessage(here, envelope), naming(link, alice))).toEqual([true, true]);
    });

    test('another sender does not', () => {
      const { envelope, link } = sealMessage(here, unsigned);
      expect(carries(unsealMessage(here, envelope), naming(link, bob))).toEqual([false, false]);
    });

    test('another group does not', async () => {
      const { group } = await openedWorld('another group of runs');
      const elsewhere = await createEpoch({ ...world.input, group });
      const statement = parseEpochStatement(primitives, elsewhere.statement);
      const there = openFor(world.devices, alice, statement, elsewhere.boxes);
      const { envelope, link } = sealMessage(there, unsigned);
      expect(carries(unsealMessage(there, envelope), naming(link, alice))).toEqual([false, false]);
    });
  });
});

describe('windows of the log', () => {
  const windowsOf = (sizes: readonly number[]): number => {
    let window = EMPTY_WINDOW;
    return sizes.reduce(
      (count, size) => count + ((window = nextWindow(window, size)).entries === 1 ? 1 : 0),
      0,
    );
  };
  test('end after 1,024 entries or before 4 MiB are passed', () => {
    const small = Array<number>(1024).fill(300);
    expect([windowsOf(small), windowsOf([...small, 300])]).toEqual([1, 2]);
    const large = Array<number>(16).fill(256 * 1024);
    expect([windowsOf(large), windowsOf([...large, 1])]).toEqual([1, 2]);
    expect(windowsOf([1, 5 * 1024 * 1024, 1])).toBe(3);
  });
});
