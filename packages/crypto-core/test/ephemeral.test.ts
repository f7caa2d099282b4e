import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  concatBytes,
  createEpoch,
  encodeCbor,
  ephemeralWindow,
  labelled,
  labelledHash,
  MAX_EPHEMERAL_AGE_MS,
  MAX_EPHEMERAL_BYTES,
  pad,
  parseEpochStatement,
  receiveEphemeral,
  startEphemeralSession,
  uint32Bytes,
  type CborValue,
  type EphemeralSessionInput,
  type EphemeralWindow,
  type EpochKeys,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { sealFrame } from '../src/ephemeral/frame.ts';
import { codeOf } from './code-of.ts';
import { makeDevice, openedWorld, openFor, type TestDevice } from './world.ts';

const world = await openedWorld('ephemeral');
const { random, keysOf } = world;
const [alice, bob, carol] = world.devices as [TestDevice, TestDevice, TestDevice];
const NOW_MS = 1_750_000_100_000;
const MAX_AGE_MS = 60_000;
const channel = random(16);
const payload = random(100);

const sessionOf = (device: TestDevice, change: Partial<EphemeralSessionInput> = {}, keys = keysOf(device)) =>
  startEphemeralSession(keys, {
    signer: device.signer,
    sender: device.id,
    kind: 'live',
    channel,
    maxAgeMs: MAX_AGE_MS,
    nowMs: NOW_MS,
    random,
    ...change,
  });

/** Receives as Bob does; by default into a window that is an hour old. */
const receive = (frame: Uint8Array, nowMs = NOW_MS, window = ephemeralWindow(NOW_MS - 3_600_000, null)) =>
  receiveEphemeral({ keys: keysOf(bob), window, frame, nowMs });
const codeFor = (frame: Uint8Array, nowMs = NOW_MS, window?: EphemeralWindow) =>
  codeOf(() => receive(frame, nowMs, window));

describe('an ephemeral frame', () => {
  test('is remembered as it came, whatever happens to the buffer that it came in', () => {
    const session = sessionOf(alice);
    const [first, second] = [session.seal(payload, NOW_MS), session.seal(payload, NOW_MS)];
    const buffer = Buffer.from(second);
    const { window } = receive(buffer);
    buffer.fill(0);
    expect(codeFor(first, NOW_MS, window)).toBe('out-of-order');
    expect(codeFor(second, NOW_MS, window)).toBe('replayed');
  });
  test('arrives as it was sent', () => {
    const session = sessionOf(alice);
    session.seal(random(1), NOW_MS);
    const { message } = receive(session.seal(payload, NOW_MS + 5));
    expect(message).toMatchObject({ kind: 'live', sender: alice.id, counter: 1, payload, channel });
    expect(message).toMatchObject({ startedMs: NOW_MS, sentMs: NOW_MS + 5, maxAgeMs: MAX_AGE_MS });
  });

  test('stays small: a location of 100 bytes takes 258, and a byte less or more is not seen', () => {
    const session = sessionOf(alice);
    const sizes = [99, 100, 101].map((sizeBytes) => session.seal(random(sizeBytes), NOW_MS).length);
    expect(sizes).toEqual([258, 258, 258]);
  });

  test('is refused when any byte of it is altered', () => {
    const frame = sessionOf(alice).seal(payload, NOW_MS);
    for (let at = 0; at < frame.length; at += 1) {
      const altered = frame.slice();
      altered[at] = (altered[at] as number) ^ 1;
      expect(['decryption-failed', 'unsupported-version', 'wrong-context']).toContain(codeFor(altered));
    }
    expect(codeFor(frame.subarray(0, 117))).toBe('malformed');
    expect(codeFor(new Uint8Array(MAX_EPHEMERAL_BYTES + 1))).toBe('too-large');
    expect(codeOf(() => sessionOf(alice).seal(random(MAX_EPHEMERAL_BYTES), NOW_MS))).toBe('too-large');
  });

  test('of another epoch, group or outsider is refused', async () => {
    const frame = sessionOf(alice).seal(payload, NOW_MS);
    const { input, devices, created } = world;
    const recipients = input.recipients.filter(({ device }) => device !== carol.id);
    const previous = { epoch: 1, hash: created.hash };
    const made = await createEpoch({ ...input, previous, reason: 'membership-changed', recipients });
    const members = devices.filter(({ id }) => id !== carol.id);
    const next = openFor(members, bob, parseEpochStatement(primitives, made.statement), made.boxes);
    const window = ephemeralWindow(0, null);
    const into = (keys: EpochKeys) => codeOf(() => receiveEphemeral({ keys, window, frame, nowMs: NOW_MS }));
    expect(into(next)).toBe('wrong-context');
    const elsewhere = await openedWorld('ephemeral, elsewhere');
    expect(into(elsewhere.keysOf(elsewhere.author))).toBe('decryption-failed');
    expect(codeOf(() => sessionOf(carol, {}, next).seal(payload, NOW_MS))).toBe('not-a-recipient');
    const stranger = makeDevice(random);
    expect(codeOf(() => sessionOf(stranger, {}, keysOf(bob)).seal(payload, NOW_MS))).toBe('not-a-recipient');
  });

  test('in another member’s name is refused, though every member has the key', () => {
    const signer = { ...alice.signer, sign: (bytes: Uint8Array) => carol.signer.sign(bytes) };
    expect(codeFor(sessionOf(alice, { signer }, keysOf(carol)).seal(payload, NOW_MS))).toBe('bad-signature');
    expect(codeOf(() => sessionOf(alice, { signer: carol.signer }).seal(payload, NOW_MS))).toBe(
      'not-a-recipient',
    );
  });

  test('signs its place: another member cannot seal it anew elsewhere', () => {
    const place = { sender: alice.id, session: random(16), counter: 4 };
    const body = { kind: 'live', channel, startedMs: NOW_MS, sentMs: NOW_MS, maxAgeMs: 1, payload } as const;
    let stolen: Uint8Array = new Uint8Array(64);
    const spy = { ...alice.signer, sign: (bytes: Uint8Array) => (stolen = alice.signer.sign(bytes)) };
    expect(codeFor(sealFrame(keysOf(carol), spy, { ...place, ...body }))).toBeNull();
    const thief = { ...alice.signer, sign: () => stolen };
    const again = (change: object) =>
      codeFor(sealFrame(keysOf(carol), thief, { ...place, ...body, ...change }));
    expect(again({})).toBeNull();
    for (const change of [
      { counter: 5 },
      { session: random(16) },
      { channel: random(16) },
      { startedMs: NOW_MS - 1 },
      { maxAgeMs: 2 },
      { payload: random(100) },
    ])
      expect(again(change)).toBe('bad-signature');
    const asCarol = sealFrame(
      keysOf(carol),
      { ...thief, publicKey: carol.signer.publicKey },
      {
        ...place,
        ...body,
        sender: carol.id,
      },
    );
    expect(codeFor(asCarol)).toBe('bad-signature');
  });

  test.each<[string, CborValue, string]>([
    ['another version', [2, 0, channel, NOW_MS, 0, 1, payload], 'unsupported-version'],
    ['an unknown kind', [1, 2, channel, NOW_MS, 0, 1, payload], 'malformed'],
    ['a short channel', [1, 0, channel.subarray(1), NOW_MS, 0, 1, payload], 'malformed'],
    ['a heartbeat in a channel', [1, 1, channel, NOW_MS, 0, 1, payload], 'malformed'],
    ['a negative time', [1, 0, channel, NOW_MS, -1, 1, payload], 'malformed'],
    ['a time beyond numbers', [1, 0, channel, NOW_MS, Number.MAX_SAFE_INTEGER, 1, payload], 'malformed'],
    ['too long a life', [1, 0, channel, NOW_MS, 0, MAX_EPHEMERAL_AGE_MS + 1, payload], 'malformed'],
    ['a field too many', [1, 0, channel, NOW_MS, 0, 1, payload, 0], 'malformed'],
  ])('refuses %s, though it is signed', (_, fields, code) => {
    expect(codeFor(signedFrame(fields))).toBe(code);
    expect(codeFor(signedFrame([1, 0, channel, NOW_MS, 0, 1, payload]))).toBeNull();
  });
});

describe('a receiver', () => {
  test('refuses what is too old, was sent before it connected, or comes from the future', () => {
    const session = sessionOf(alice);
    const frame = session.seal(payload, NOW_MS);
    expect(codeFor(frame, NOW_MS + MAX_AGE_MS)).toBeNull();
    expect(codeFor(frame, NOW_MS + MAX_AGE_MS + 1)).toBe('expired');
    expect(codeFor(frame, NOW_MS - 60_000)).toBeNull();
    expect(codeFor(frame, NOW_MS - 60_001)).toBe('clock-ahead');
    expect(codeFor(frame, NOW_MS + 10, ephemeralWindow(NOW_MS, null))).toBeNull();
    expect(codeFor(frame, NOW_MS + 10, ephemeralWindow(NOW_MS + 1, null))).toBe('expired');
  });

  test('refuses replays and older frames, and may join a session in its middle', () => {
    const session = sessionOf(alice);
    const frames = [0, 1, 2, 3].map(() => session.seal(payload, NOW_MS));
    const [, second, third, fourth] = frames as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
    const { window } = receive(third);
    expect(codeFor(third, NOW_MS, window)).toBe('replayed');
    expect(codeFor(second, NOW_MS, window)).toBe('out-of-order');
    expect(codeFor(fourth, NOW_MS, window)).toBeNull();
  });

  test('lets time pass in a session only forwards, and its start stand', () => {
    const place = { sender: alice.id, session: random(16), counter: 4 };
    const body = {
      kind: 'live',
      channel,
      startedMs: NOW_MS,
      sentMs: NOW_MS + 5,
      maxAgeMs: 9,
      payload,
    } as const;
    const frame = (change: object) =>
      sealFrame(keysOf(alice), alice.signer, { ...place, ...body, ...change });
    const { window } = receive(frame({}));
    expect(codeFor(frame({ counter: 5 }), NOW_MS, window)).toBeNull();
    expect(codeFor(frame({ counter: 5, sentMs: NOW_MS + 4 }), NOW_MS, window)).toBe('out-of-order');
    expect(codeFor(frame({ counter: 5, startedMs: NOW_MS + 1 }), NOW_MS, window)).toBe('out-of-order');
  });

  test('lets a new session replace the old one for good', () => {
    const [old, young] = [sessionOf(alice), sessionOf(alice, { nowMs: NOW_MS + 1 })];
    const first = receive(old.seal(payload, NOW_MS)).window;
    const delayed = old.seal(payload, NOW_MS + 2);
    const { window } = receive(young.seal(payload, NOW_MS + 1), NOW_MS + 2, first);
    expect(codeFor(delayed, NOW_MS + 2, window)).toBe('out-of-order');
    expect(
      codeFor(sessionOf(alice, { nowMs: NOW_MS + 1 }).seal(payload, NOW_MS + 3), NOW_MS + 3, window),
    ).toBe('out-of-order');
    expect(
      codeFor(sessionOf(alice, { channel: random(16) }).seal(payload, NOW_MS), NOW_MS, window),
    ).toBeNull();
  });

  test('accepts nothing again after it has connected anew, or after it has forgotten the session', () => {
    const frame = sessionOf(alice, { maxAgeMs: MAX_EPHEMERAL_AGE_MS }).seal(payload, NOW_MS);
    const { window } = receive(frame);
    expect(codeFor(frame, NOW_MS + 1, ephemeralWindow(NOW_MS + 1, window))).toBe('expired');
    // Its clock was set back meanwhile: the session is still known.
    expect(codeFor(frame, NOW_MS, ephemeralWindow(NOW_MS, window))).toBe('replayed');
    const laterMs = NOW_MS + MAX_EPHEMERAL_AGE_MS;
    const opens = (nowMs: number) => sessionOf(carol, { nowMs, channel: random(16) }).seal(payload, nowMs);
    const still = receive(opens(laterMs), laterMs, window);
    expect(codeFor(frame, laterMs, still.window)).toBe('replayed');
    const { window: forgot } = receive(opens(laterMs + 1), laterMs + 1, still.window);
    expect(forgot.sessions.size).toBe(2);
    expect(codeFor(frame, laterMs + 1, forgot)).toBe('expired');
    // What is forgotten holds up nobody, also before it is cleared away.
    const older = sessionOf(alice, { nowMs: NOW_MS - 1 }).seal(payload, laterMs + 1);
    expect(codeFor(older, laterMs, window)).toBe('out-of-order');
    expect(codeFor(older, laterMs + 1, window)).toBeNull();
  });

  test('remembers 16 sessions of one sender, and no refused frame at all', () => {
    let window = ephemeralWindow(0, null);
    const next = (device: TestDevice) => sessionOf(device, { channel: random(16) }).seal(payload, NOW_MS);
    for (let i = 0; i < 16; i += 1) window = receive(next(alice), NOW_MS, window).window;
    expect(codeFor(next(alice), NOW_MS, window)).toBe('too-many-sessions');
    expect(codeFor(next(carol), NOW_MS, window)).toBeNull();
    expect(window.sessions.size).toBe(16);
  });

  test('remembers 4,096 sessions of everyone together', () => {
    const [one] = receive(sessionOf(carol).seal(payload, NOW_MS)).window.sessions.values();
    const full = (size: number): EphemeralWindow => ({
      sinceMs: 0,
      sessions: new Map(Array.from({ length: size }, (_, index) => [`session ${index}`, one as never])),
    });
    const frame = sessionOf(alice).seal(payload, NOW_MS);
    expect(codeFor(frame, NOW_MS, full(4095))).toBeNull();
    expect(codeFor(frame, NOW_MS, full(4096))).toBe('too-many-sessions');
    const laterMs = NOW_MS + MAX_EPHEMERAL_AGE_MS + 1;
    const later = sessionOf(alice, { nowMs: laterMs }).seal(payload, laterMs);
    expect(codeFor(later, laterMs, full(4096))).toBeNull();
  });

  test('accepts each frame at most once, in its order, whatever the relay does (property)', () => {
    const act = fc.record({
      who: fc.nat(1),
      act: fc.constantFrom('send', 'send', 'send', 'reconnect', 'receiver-reconnects', 'wait'),
      replay: fc.array(fc.nat(40), { maxLength: 3 }),
      ms: fc.integer({ min: 1, max: 40_000 }),
    });
    fc.assert(
      fc.property(fc.array(act, { minLength: 1, maxLength: 20 }), (acts) => {
        let nowMs = NOW_MS;
        let window = ephemeralWindow(nowMs, null);
        const senders = [alice, carol].map((device) => ({ device, session: sessionOf(device) }));
        const sent: { frame: Uint8Array; sentMs: number; accepted: number }[] = [];
        const order = new Map<string, number>();
        const deliver = (index: number): void => {
          const item = sent[index % Math.max(1, sent.length)];
          if (item === undefined) return;
          const before = window;
          if (codeFor(item.frame, nowMs, window) !== null) return expect(window).toBe(before) as void;
          const got = receive(item.frame, nowMs, window);
          window = got.window;
          item.accepted += 1;
          expect(nowMs - item.sentMs).toBeLessThanOrEqual(MAX_AGE_MS);
          const last = order.get(got.message.sender) ?? -1;
          expect(sent.indexOf(item)).toBeGreaterThan(last);
          order.set(got.message.sender, sent.indexOf(item));
        };
        for (const { who, act: kind, replay, ms } of acts) {
          nowMs += kind === 'wait' ? ms : 1;
          const sender = senders[who] as (typeof senders)[number];
          if (kind === 'reconnect') sender.session = sessionOf(sender.device, { nowMs });
          if (kind === 'receiver-reconnects') window = ephemeralWindow(nowMs, window);
          if (kind === 'send') {
            sent.push({ frame: sender.session.seal(random(3), nowMs), sentMs: nowMs, accepted: 0 });
            deliver(sent.length - 1);
          }
          for (const index of replay) deliver(index);
        }
        expect(sent.every(({ accepted }) => accepted <= 1)).toBe(true);
      }),
      { seed: 20_261_121, numRuns: 60 },
    );
  });
});

test('a session goes on in its own order only, and ends with its epoch', async () => {
  const own = await openedWorld('ephemeral, disposed');
  const keys = own.keysOf(own.author);
  const session = sessionOf(own.author, {}, keys);
  session.seal(payload, NOW_MS + 1);
  expect(codeOf(() => session.seal(payload, NOW_MS))).toBe('malformed');
  keys.dispose();
  expect(codeOf(() => session.seal(payload, NOW_MS + 1))).toBe('disposed');
});

/** A frame of Alice's with any body, truly signed. */
function signedFrame(fields: CborValue): Uint8Array {
  const keys = keysOf(alice);
  const sender = keys.senderOf(alice.id) as NonNullable<ReturnType<EpochKeys['senderOf']>>;
  const session = random(16);
  const body = encodeCbor(fields);
  const inBody = (fields as CborValue[])[2] as Uint8Array;
  const claimed = concatBytes(inBody, new Uint8Array(16)).subarray(0, 16);
  const context = keys.signedContext({ channel: claimed, sender, counter: 0, salt: session });
  const digest = labelledHash(primitives, 'ephemeral', context, session, body);
  const signature = alice.signer.sign(labelled('ephemeralSignature', digest));
  const associated = concatBytes(Uint8Array.of(1, 1), uint32Bytes(1), sender.slot, session, uint32Bytes(0));
  const sealed = primitives.aeadSeal({
    key: keys.sessionKey(sender, session),
    nonce: new Uint8Array(12),
    associated,
    data: pad(concatBytes(signature, body)),
  });
  return concatBytes(associated, sealed);
}
