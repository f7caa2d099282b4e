import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  acceptMessage,
  appendLeaf,
  closingOfHeartbeat,
  closingOfMessage,
  compareClosing,
  EMPTY_FRONTIER,
  encodeCbor,
  encodeHeartbeat,
  ephemeralWindow,
  leafHash,
  openMessage,
  readHeartbeat,
  receiveEphemeral,
  rootOf,
  sealMessage,
  startEphemeralSession,
  type Closing,
  type CborValue,
  type EphemeralMessage,
  type Heartbeat,
  type HeldLog,
  type MerkleFrontier,
  type OpenedMessage,
  type SenderHead,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { codeOf } from './code-of.ts';
import { openedWorld, type TestDevice } from './world.ts';

const world = await openedWorld('heartbeat');
const { random, devices, checkpoint, keysOf } = world;
const [alice, bob] = devices as [TestDevice, TestDevice, TestDevice];
const NOW_MS = 1_750_000_100_000;

interface Written {
  readonly envelope: Uint8Array;
  readonly message: OpenedMessage;
}

/** Lets devices write in turn; each has seen all that was written before. */
function writeLog(authors: readonly TestDevice[]): Written[] {
  const heads = new Map<TestDevice, OpenedMessage>();
  const log: Written[] = [];
  for (const author of authors) {
    const before = heads.get(author);
    const { envelope } = sealMessage(keysOf(author), {
      signer: author.signer,
      sender: author.id,
      channel: new Uint8Array(16),
      counter: before === undefined ? 0 : before.counter + 1,
      previousLink: before?.link ?? new Uint8Array(32),
      heads: { directory: checkpoint, group: checkpointOf(log, log.length) },
      payload: random(4),
      random,
    });
    const message = openMessage(keysOf(bob), envelope);
    heads.set(author, message);
    log.push({ envelope, message });
  }
  return log;
}

function frontierOf(log: readonly Written[], size: number): MerkleFrontier {
  return log
    .slice(0, size)
    .reduce(
      (tree, { envelope }) => appendLeaf(primitives, tree, leafHash(primitives, envelope)),
      EMPTY_FRONTIER,
    );
}

function checkpointOf(log: readonly Written[], size: number): Closing['group'] {
  return { size, root: rootOf(primitives, frontierOf(log, size)) };
}

/** What a receiver that was given these entries holds, and which counters it knows that it skipped. */
function hold(log: readonly Written[]): { held: HeldLog; skipped: Set<string> } {
  const heads = new Map<string, SenderHead>();
  const links = new Map<string, Uint8Array>();
  const skipped = new Set<string>();
  for (const { message } of log) {
    const { head, missing } = acceptMessage(heads.get(message.sender) ?? null, message);
    heads.set(message.sender, head);
    links.set(`${message.sender} ${message.counter}`, message.link);
    for (let counter = missing?.from ?? 1; counter <= (missing?.to ?? 0); counter += 1)
      skipped.add(`${message.sender} ${counter}`);
  }
  const held: HeldLog = {
    size: log.length,
    rootAt: (size) => checkpointOf(log, size).root,
    lastCounterOf: (device) => heads.get(device)?.counter ?? -1,
    linkOf: (device, counter) => links.get(`${device} ${counter}`) ?? null,
  };
  return { held, skipped };
}

const closingAt = (log: readonly Written[], at: number): Closing => ({
  group: checkpointOf(log, at),
  senders: devices.flatMap(({ id }) => {
    const last = log.slice(0, at).findLast(({ message }) => message.sender === id)?.message;
    return last === undefined ? [] : [{ device: id, counter: last.counter, link: last.link }];
  }),
});

/** What `device` would say after the first `at` entries, as Bob receives it. */
function heartbeatAt(log: readonly Written[], at: number, device: TestDevice): EphemeralMessage {
  const last = closingAt(log, at).senders.find((sender) => sender.device === device.id) ?? null;
  return beat(
    device,
    encodeHeartbeat({ last, heads: { directory: checkpoint, group: checkpointOf(log, at) } }),
  );
}

function beat(device: TestDevice, payload: Uint8Array, kind: 'heartbeat' | 'live' = 'heartbeat') {
  const { signer, id: sender } = device;
  const channel = new Uint8Array(16);
  const input = { signer, sender, kind, channel, maxAgeMs: 60_000, nowMs: NOW_MS, random };
  const frame = startEphemeralSession(keysOf(device), input).seal(payload, NOW_MS);
  const window = ephemeralWindow(NOW_MS, null);
  return receiveEphemeral({ keys: keysOf(bob), window, frame, nowMs: NOW_MS }).message;
}

describe('a heartbeat', () => {
  test('says what it was made of, before the first message as well', () => {
    const heads = { directory: { size: 70_000, root: random(32) }, group: { size: 3, root: random(32) } };
    for (const last of [null, { counter: 300, link: random(32) }]) {
      const heartbeat: Heartbeat = { last, heads };
      const message = beat(alice, encodeHeartbeat(heartbeat));
      expect(readHeartbeat(message)).toEqual(heartbeat);
      const senders = last === null ? [] : [{ device: alice.id, ...last }];
      expect(closingOfHeartbeat(message)).toEqual({ group: heads.group, senders });
    }
  });

  const root = random(32);
  test.each<[string, CborValue, string]>([
    ['another version', [2, null, [1, root, 1, root]], 'unsupported-version'],
    ['a short link', [1, [0, root.subarray(1)], [1, root, 1, root]], 'malformed'],
    ['a negative counter', [1, [-1, root], [1, root, 1, root]], 'malformed'],
    ['heads of one log', [1, null, [1, root]], 'malformed'],
  ])('of %s is refused', (_, fields, code) => {
    expect(codeOf(() => readHeartbeat(beat(alice, encodeCbor(fields))))).toBe(code);
  });

  test('is not read from what the application sends', () => {
    const fields = encodeCbor([1, null, [1, root, 1, root]]);
    expect(codeOf(() => readHeartbeat(beat(alice, fields)))).toBeNull();
    expect(codeOf(() => readHeartbeat(beat(alice, fields, 'live')))).toBe('wrong-context');
  });

  test('takes 274 bytes', () => {
    const group = { size: 60_000, root };
    const payload = encodeHeartbeat({
      last: { counter: 300, link: root },
      heads: { directory: group, group },
    });
    const input = {
      kind: 'heartbeat',
      channel: new Uint8Array(16),
      maxAgeMs: 60_000,
      nowMs: NOW_MS,
    } as const;
    const session = startEphemeralSession(keysOf(alice), {
      ...input,
      signer: alice.signer,
      sender: alice.id,
      random,
    });
    expect(session.seal(payload, NOW_MS).length).toBe(274);
  });
});

describe('comparing a closing with what is held', () => {
  test('finds nothing in a whole log, whoever says it', () => {
    const log = writeLog([alice, bob, alice, alice]);
    const { held } = hold(log);
    const said = [closingAt(log, 4), closingAt(log, 2), closingOfMessage((log[3] as Written).message)];
    for (const closing of [...said, closingOfHeartbeat(heartbeatAt(log, 4, alice))])
      expect(compareClosing(held, closing)).toEqual({
        missing: [],
        missingEntries: null,
        contradictions: [],
        isForked: false,
      });
  });

  test('finds exactly what was withheld and is named, for any log and any relay (property)', () => {
    const entry = fc.record({ author: fc.nat(2), withheld: fc.boolean() });
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 14 }), fc.nat(14), fc.nat(2), (entries, cut, who) => {
        const log = writeLog(entries.map(({ author }) => devices[author] as TestDevice));
        const kept = log.filter((_, index) => entries[index]?.withheld === false);
        const { held, skipped } = hold(kept);
        const at = Math.min(cut, log.length);
        const claims: Closing[] = [
          closingAt(log, at),
          closingOfHeartbeat(heartbeatAt(log, at, devices[who] as TestDevice)),
          ...log.slice(at, at + 1).map(({ message }) => closingOfMessage(message)),
        ];
        for (const claim of claims) {
          const named = new Set(
            log.slice(0, at).flatMap(({ message: { sender, counter } }) => {
              const last = claim.senders.find(({ device }) => device === sender)?.counter ?? -1;
              return counter <= last ? [`${sender} ${counter}`] : [];
            }),
          );
          const keptNames = new Set(kept.map(({ message }) => `${message.sender} ${message.counter}`));
          const withheld = [...named].filter((name) => !keptNames.has(name));
          const difference = compareClosing(held, claim);
          const found = difference.missing.flatMap(({ device, from, to }) =>
            Array.from({ length: to - from + 1 }, (_, index) => `${device} ${from + index}`),
          );
          expect(found.filter((name) => skipped.has(name) || !named.has(name))).toEqual([]);
          const skippedAndNamed = [...skipped].filter((name) => named.has(name));
          expect([...found, ...skippedAndNamed].toSorted()).toEqual(withheld.toSorted());
          expect(difference.contradictions).toEqual([]);
          const isCut = entries.slice(0, at).some((item) => item.withheld);
          expect(difference.isForked).toBe(isCut && at <= kept.length);
          expect(difference.missingEntries).toEqual(
            at > kept.length ? { from: kept.length + 1, to: at } : null,
          );
        }
      }),
      { seed: 20_261_121, numRuns: 80 },
    );
  });

  test('shows two messages of one sender with one counter', () => {
    const [shown, hidden] = [writeLog([alice, alice]), writeLog([alice, alice])];
    const { held } = hold(shown);
    const links = [hidden, shown].map((log) => log[1]?.message.link);
    for (const claim of [closingAt(hidden, 2), closingOfHeartbeat(heartbeatAt(hidden, 2, alice))]) {
      const difference = compareClosing(held, claim);
      expect(difference.contradictions).toEqual([
        { device: alice.id, counter: 1, claimed: links[0], held: links[1] },
      ]);
      expect(difference.isForked).toBe(true);
      expect(difference.missing).toEqual([]);
    }
  });

  test('counts nothing as missing where the start is unknown, and accuses nobody of what is not kept', () => {
    const log = writeLog([alice, alice]);
    const blind: HeldLog = {
      size: 2,
      rootAt: () => null,
      lastCounterOf: () => 'unknown',
      linkOf: () => null,
    };
    const nothing = { missing: [], missingEntries: null, contradictions: [], isForked: false };
    expect(compareClosing(blind, closingAt(log, 2))).toEqual(nothing);
  });
});
