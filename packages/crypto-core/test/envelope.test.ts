import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  concatBytes,
  createEpoch,
  encodeCbor,
  idBytes,
  labelled,
  MAX_ENVELOPE_BYTES,
  openEpoch,
  openMessage,
  pad,
  parseEnvelopeHeader,
  parseEpochStatement,
  sealMessage,
  Secret,
  toHex,
  uint64Bytes,
  type EpochKeys,
  type SealMessageInput,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { codeOf } from './code-of.ts';
import { makeDevice, openedWorld, openFor, type TestDevice } from './world.ts';

const world = await openedWorld('envelope');
const { random, devices } = world;
const [alice, bob, carol] = devices as [TestDevice, TestDevice, TestDevice];
const heads = { directory: world.checkpoint, group: { size: 12, root: random(32) } };
const channel = random(16);

const inputOf = (change: Partial<SealMessageInput> = {}): SealMessageInput => ({
  signer: alice.signer,
  sender: alice.id,
  channel,
  counter: 0,
  previousLink: new Uint8Array(32),
  heads,
  payload: random(30),
  random,
  ...change,
});
const seal = (change: Partial<SealMessageInput> = {}) => sealMessage(world.keysOf(alice), inputOf(change));
const open = (envelope: Uint8Array, keys: EpochKeys = world.keysOf(bob)) => openMessage(keys, envelope);
const openCode = (envelope: Uint8Array, keys?: EpochKeys) => codeOf(() => open(envelope, keys));

const message = fc.record({
  payload: fc.uint8Array({ maxLength: 3000 }),
  channel: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  counter: fc.maxSafeNat(),
});

describe('envelope', () => {
  test('round trip: every recipient reads what was sealed, and nothing of it is visible', () => {
    fc.assert(
      fc.property(message, ({ payload, channel: where, counter }) => {
        const previousLink = counter === 0 ? new Uint8Array(32) : random(32);
        const sealed = seal({ payload, channel: where, counter, previousLink });
        const { digest, link } = sealed;
        const whole = {
          sender: alice.id,
          channel: where,
          counter,
          previousLink,
          heads,
          payload,
          digest,
          link,
        };
        for (const device of devices) expect(open(sealed.envelope, world.keysOf(device))).toEqual(whole);
        const visible = toHex(sealed.envelope);
        const hidden = [idBytes(alice.id), where, previousLink]
          .map(toHex)
          .filter((text) => /[1-9a-f]/.test(text));
        expect(hidden.filter((text) => visible.includes(text))).toEqual([]);
      }),
    );
  });

  test('one message sealed twice looks unrelated beyond what the header shows', () => {
    const payload = random(40);
    const [first, again] = [seal({ payload }), seal({ payload })];
    expect(first.digest).toEqual(again.digest);
    expect(first.link).toEqual(again.link);
    expect(first.envelope.subarray(0, 46)).toEqual(again.envelope.subarray(0, 46));
    expect(first.envelope.subarray(62, 86)).not.toEqual(again.envelope.subarray(62, 86));
  });

  test('each single byte, altered, is refused', () => {
    const { envelope } = seal();
    for (let at = 0; at < envelope.length; at += 1) {
      const altered = envelope.slice();
      altered[at] = (altered[at] as number) ^ 0x40;
      const expected = at < 2 ? 'unsupported-version' : at < 38 ? 'wrong-context' : 'decryption-failed';
      expect([at, openCode(altered)]).toEqual([at, expected]);
    }
  });

  test('any changes, cuts and additions are refused', () => {
    const { envelope } = seal({ payload: random(500) });
    fc.assert(
      fc.property(fc.nat(envelope.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const altered = envelope.slice();
        altered[at] = (altered[at] as number) ^ mask;
        expect(openCode(altered)).not.toBeNull();
        expect(openCode(envelope.subarray(0, at))).not.toBeNull();
        expect(openCode(concatBytes(envelope, Uint8Array.of(mask)))).toBe('decryption-failed');
      }),
      { numRuns: 300 },
    );
  });

  test('random bytes behind a true header never surprise', () => {
    const start = seal().envelope.subarray(0, 46);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (rest) => {
        expect(['malformed', 'decryption-failed']).toContain(openCode(concatBytes(start, rest)));
      }),
    );
  });

  test('another epoch, group or organisation does not open it', async () => {
    const { envelope } = seal();
    const next = await createEpoch({
      ...world.input,
      previous: { epoch: 1, hash: world.created.hash },
      reason: 'on-demand',
    });
    const nextStatement = parseEpochStatement(primitives, next.statement);
    expect(openCode(envelope, openFor(devices, bob, nextStatement, next.boxes))).toBe('wrong-context');

    const otherGroup = await openedWorld('another group');
    expect(openCode(envelope, otherGroup.keysOf(otherGroup.author))).toBe('wrong-context');

    // The same group id and epoch in another organisation: only the key differs.
    const twin = await createEpoch({ ...world.input, org: otherGroup.org });
    const twinKeys = openFor(devices, bob, parseEpochStatement(primitives, twin.statement), twin.boxes);
    expect(openCode(envelope, twinKeys)).toBe('decryption-failed');
  });

  test('the key alone is not enough: the statement is part of every message key', () => {
    const { envelope } = seal();
    const key = Secret.own(world.created.key.use((bytes) => bytes.slice()));
    const rewritten = { ...world.statement, hash: random(32) };
    const list = devices.map(({ id, verifier }) => ({ device: id, verifier }));
    const keys = openEpoch({ primitives, statement: rewritten, key, devices: list });
    expect(openCode(envelope, keys)).toBe('decryption-failed');
  });

  test('a sender that is not in the epoch can neither seal nor be read', () => {
    const outsider = makeDevice(random);
    const keys = world.keysOf(alice);
    const intruding = { sender: outsider.id, signer: outsider.signer };
    expect(codeOf(() => sealMessage(keys, inputOf(intruding)))).toBe('not-a-recipient');
    expect(codeOf(() => sealMessage(keys, inputOf({ signer: outsider.signer })))).toBe('not-a-recipient');

    const key = Secret.own(world.created.key.use((bytes) => bytes.slice()));
    const list = [...devices, outsider].map(({ id, verifier }) => ({ device: id, verifier }));
    const stolen = openEpoch({ primitives, statement: world.statement, key, devices: list });
    const { envelope } = sealMessage(stolen, inputOf(intruding));
    expect(openMessage(stolen, envelope).sender).toBe(outsider.id);
    expect(openCode(envelope)).toBe('decryption-failed');
  });

  test('a member cannot write in the name of another member', () => {
    // Carol has the epoch key, so she can do everything but sign as Alice.
    const { envelope } = seal();
    const keys = world.keysOf(carol);
    for (const signature of [random(64), carol.signer.sign(labelled('messageSignature', random(32)))]) {
      const body = encodeCbor([1, new Uint8Array(32), [0, random(32), 0, random(32)], random(5)]);
      expect(openCode(resealed(keys, envelope, concatBytes(signature, body)))).toBe('bad-signature');
    }
  });

  test('a signature does not move to another channel or counter', () => {
    const keys = world.keysOf(carol);
    const { envelope, digest } = seal();
    const signature = alice.signer.sign(labelled('messageSignature', digest));
    const { previousLink, payload } = open(envelope);
    const { directory, group } = heads;
    const body = encodeCbor([
      1,
      previousLink,
      [directory.size, directory.root, group.size, group.root],
      payload,
    ]);
    const content = concatBytes(signature, body);
    expect(openCode(resealed(keys, envelope, content))).toBeNull();
    expect(openCode(resealed(keys, envelope, content, { channel: random(16) }))).toBe('bad-signature');
    expect(openCode(resealed(keys, envelope, content, { counter: 1 }))).toBe('bad-signature');
    const padded = concatBytes(content, Uint8Array.of(0));
    expect(openCode(resealed(keys, envelope, padded))).toBe('bad-signature');
  });

  test('what an authorised sender can do wrong is refused too', () => {
    const keys = world.keysOf(alice);
    const { envelope } = seal();
    const signed = (body: Uint8Array): Uint8Array => {
      const sender = keys.senderOf(alice.id) as NonNullable<ReturnType<EpochKeys['senderOf']>>;
      const context = keys.signedContext({ channel, sender, counter: 0, salt: envelope.subarray(46, 62) });
      const digest = primitives.sha256(labelled('message', context, body));
      return concatBytes(alice.signer.sign(labelled('messageSignature', digest)), body);
    };
    const root = new Uint8Array(32);
    const head = [0, root, 0, root];
    for (const [body, code] of [
      [encodeCbor([1, root, head, random(5)]), null],
      [encodeCbor([2, root, head, random(5)]), 'unsupported-version'],
      [encodeCbor([1, root, head, 'text']), 'malformed'],
      [encodeCbor([1, root, [0, root, 0], random(5)]), 'malformed'],
      [encodeCbor([1, root.subarray(1), head, random(5)]), 'malformed'],
      [encodeCbor([1, root, head, random(5), 0]), 'malformed'],
      [concatBytes(encodeCbor([1, root, head, random(5)]), Uint8Array.of(0)), 'malformed'],
      [new Uint8Array(0), 'malformed'],
    ] as const)
      expect(openCode(resealed(keys, envelope, signed(body)))).toBe(code);
    expect(openCode(resealed(keys, envelope, random(63)))).toBe('malformed');
    const badPadding = pad(signed(encodeCbor([1, root, head, random(9)]))).fill(1, -1);
    expect(openCode(resealed(keys, envelope, badPadding, { padded: true }))).toBe('malformed');
  });

  test('a counter beyond 2^53 is refused', () => {
    const { envelope } = seal();
    const keys = world.keysOf(bob);
    const routing = keys.maskRouting(
      envelope.subarray(0, 62),
      concatBytes(channel, new Uint8Array(8).fill(255)),
    );
    expect(openCode(concatBytes(envelope.subarray(0, 62), routing, envelope.subarray(86)))).toBe(
      'decryption-failed',
    );
  });

  test('sizes: the largest fits, one class more does not', () => {
    const { envelope } = seal({ payload: random(240_000) });
    expect(envelope.length).toBeLessThanOrEqual(MAX_ENVELOPE_BYTES);
    expect(open(envelope).payload).toHaveLength(240_000);
    expect(codeOf(() => seal({ payload: new Uint8Array(262_000) }))).toBe('too-large');
    expect(openCode(new Uint8Array(MAX_ENVELOPE_BYTES + 1))).toBe('too-large');
  });

  test('callers’ mistakes are refused before anything is sealed', () => {
    for (const wrong of [
      { channel: random(15) },
      { counter: -1 },
      { counter: 1.5 },
      { counter: 1 },
      { counter: 0, previousLink: random(32) },
      { previousLink: new Uint8Array(31) },
    ])
      expect(codeOf(() => seal(wrong))).toBe('malformed');
  });

  test('the relay reads the header, and only that', () => {
    const { envelope } = seal();
    const header = parseEnvelopeHeader(envelope);
    expect(header).toMatchObject({ group: world.group, epoch: 1 });
    const buffer = Buffer.from(envelope);
    const ofBuffer = parseEnvelopeHeader(buffer);
    buffer.fill(0);
    expect(ofBuffer).toEqual(header);
    expect([header.slot.length, header.salt.length]).toEqual([8, 16]);
    expect(codeOf(() => parseEnvelopeHeader(envelope.subarray(0, 169)))).toBe('malformed');
  });

  test('channel keys are kept, but not without end', () => {
    let hmacs = 0;
    const counting = {
      ...primitives,
      hmacSha256: (key: Uint8Array, data: Uint8Array) => {
        hmacs += 1;
        return primitives.hmacSha256(key, data);
      },
    };
    const key = Secret.own(world.created.key.use((bytes) => bytes.slice()));
    const list = devices.map(({ id, verifier }) => ({ device: id, verifier }));
    const keys = openEpoch({ primitives: counting, statement: world.statement, key, devices: list });
    const cost = (where: Uint8Array): number => {
      const before = hmacs;
      sealMessage(keys, inputOf({ channel: where }));
      return hmacs - before;
    };
    const first = cost(channel);
    expect(cost(channel)).toBe(first - 1);
    const others = Array.from({ length: 256 }, () => random(16));
    for (const other of others) expect(cost(other)).toBe(first);
    expect(cost(others.at(-1) as Uint8Array)).toBe(first - 1);
    expect(cost(channel)).toBe(first);
  });

  test('a wiped epoch opens nothing', async () => {
    const own = await openedWorld('wiped');
    const keys = own.keysOf(own.author);
    const { envelope } = sealMessage(keys, inputOf({ signer: own.author.signer, sender: own.author.id }));
    expect(openCode(envelope, keys)).toBeNull();
    keys.dispose();
    expect(openCode(envelope, keys)).toBe('disposed');
    expect(JSON.stringify({ keys })).toBe('{"keys":"[epoch keys]"}');
  });
});

interface Reseal {
  readonly channel?: Uint8Array;
  readonly counter?: number;
  readonly padded?: boolean;
}

/** What a member with the epoch key can make: other content sealed under the header of an envelope of Alice. */
function resealed(
  keys: EpochKeys,
  envelope: Uint8Array,
  content: Uint8Array,
  change: Reseal = {},
): Uint8Array {
  const where = change.channel ?? channel;
  const counter = change.counter ?? 0;
  const sender = keys.senderOf(alice.id) as NonNullable<ReturnType<EpochKeys['senderOf']>>;
  const start = envelope.subarray(0, 62);
  const salt = envelope.subarray(46, 62);
  const header = concatBytes(start, keys.maskRouting(start, concatBytes(where, uint64Bytes(counter))));
  const key = keys.messageKey({ channel: where, sender, counter, salt });
  const data = change.padded === true ? content : pad(content);
  const nonce = new Uint8Array(12);
  return concatBytes(header, primitives.aeadSeal({ key, nonce, associated: header, data }));
}
