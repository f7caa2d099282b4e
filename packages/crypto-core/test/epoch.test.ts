import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  createEpoch,
  CryptoError,
  decodeCbor,
  deviceId,
  encodeCbor,
  keyCommitment,
  openEpoch,
  openEpochBox,
  parseEpochStatement,
  recipientsHash,
  sealBox,
  Secret,
  signBytes,
  verifyCommitment,
  verifyEpochStatement,
  type CborValue,
  type CreateEpochInput,
  type EpochExpectation,
  type EpochStatement,
} from '@keytide/crypto-core';
import { concatBytes, idBytes } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { codeOf, codeOfAsync } from './code-of.ts';
import { makeDevice, makeWorld, openedWorld, type TestDevice } from './world.ts';

const world = await openedWorld('epoch');
const { statement, created, devices, author } = world;
const [, second, third] = devices as [TestDevice, TestDevice, TestDevice];
const outsider = makeDevice(world.random);

const recipientsOf = (list: readonly TestDevice[]) => list.map(({ id }) => ({ device: id }));
const expectation: EpochExpectation = {
  org: world.org,
  group: world.group,
  previous: null,
  blockMs: 86_400_000,
  authorVerifier: author.verifier,
  recipients: recipientsOf(devices),
};
const verify = (candidate: EpochStatement, change: Partial<EpochExpectation> = {}) =>
  codeOf(() => verifyEpochStatement(primitives, candidate, { ...expectation, ...change }));

const secondInput: CreateEpochInput = {
  ...world.input,
  previous: { epoch: 1, hash: created.hash },
  reason: 'membership-changed',
  closing: {
    group: { size: 4, root: world.random(32) },
    senders: [second, author]
      .map(({ id }) => ({ device: id, counter: 2, link: world.random(32) }))
      .toSorted((a, b) => (a.device < b.device ? -1 : 1)),
  },
};
const next = await createEpoch(secondInput);
const nextStatement = parseEpochStatement(primitives, next.statement);

/** The statement with one field of its signed bytes replaced, signed again by the author. */
function forged(index: number, value: CborValue): Uint8Array {
  const fields = [...(decodeCbor(nextStatement.bytes, 1_000_000) as readonly CborValue[])];
  fields[index] = value;
  return signedBytes(encodeCbor(fields));
}
function signedBytes(bytes: Uint8Array): Uint8Array {
  return encodeCbor([bytes, signBytes(primitives, author.signer, 'epochStatementSignature', bytes)]);
}

describe('epoch statement', () => {
  test('says what went in, and verifies', () => {
    expect(verify(statement)).toBeNull();
    expect(statement).toMatchObject({ epoch: 1, reason: 'first', author: author.id, org: world.org });
    expect(statement.hash).toEqual(created.hash);
    expect(verify(nextStatement, { previous: statement })).toBeNull();
    expect(nextStatement).toMatchObject({ epoch: 2, closing: secondInput.closing });
  });

  test('any altered byte is refused, whoever reads it', () => {
    fc.assert(
      fc.property(fc.nat(next.statement.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const altered = next.statement.slice();
        altered[at] = (altered[at] as number) ^ mask;
        const code = codeOf(() =>
          verifyEpochStatement(primitives, parseEpochStatement(primitives, altered), {
            ...expectation,
            previous: statement,
          }),
        );
        expect(code).not.toBeNull();
      }),
      { numRuns: 400 },
    );
  });

  test('is refused in another organisation or group, and from another author', () => {
    const elsewhere = makeWorld('elsewhere');
    expect(verify(statement, { org: elsewhere.org })).toBe('wrong-context');
    expect(verify(statement, { group: elsewhere.group })).toBe('wrong-context');
    expect(verify(statement, { authorVerifier: second.verifier })).toBe('wrong-context');
  });

  test('is refused when signed by somebody other than the author it names', () => {
    const bytes = statement.bytes;
    const signature = signBytes(primitives, second.signer, 'epochStatementSignature', bytes);
    const stolen = parseEpochStatement(primitives, encodeCbor([bytes, signature]));
    expect(verify(stolen)).toBe('bad-signature');
  });

  test('follows exactly the epoch before', () => {
    expect(verify(nextStatement)).toBe('wrong-context');
    for (const change of [
      { epoch: 2 },
      { hash: world.random(32) },
      { createdMs: nextStatement.createdMs + 1 },
    ])
      expect(verify(nextStatement, { previous: { ...statement, ...change } })).toBe('wrong-context');
    const none = { epoch: 0, hash: new Uint8Array(32), createdMs: 0 };
    expect(verify(statement, { previous: none })).toBeNull();
  });

  test('lasts for the block of the policy in which it was made', async () => {
    expect(verify(statement, { blockMs: 3_600_000 })).toBe('wrong-context');
    const day = 86_400_000;
    for (const block of [
      { blockStartMs: 20_254 * day + 1, blockEndMs: 20_255 * day + 1 },
      { blockStartMs: 20_254 * day, blockEndMs: 20_264 * day },
      { blockStartMs: 20_256 * day, blockEndMs: 20_257 * day },
      { blockStartMs: 20_250 * day, blockEndMs: 20_251 * day },
    ]) {
      const made = await createEpoch({ ...world.input, ...block });
      expect(verify(parseEpochStatement(primitives, made.statement))).toBe('wrong-context');
    }
  });

  test('a recipient too many, too few or twice is refused', () => {
    const extra = recipientsOf([...devices, outsider]);
    const missing = recipientsOf([author, second]);
    const swapped = recipientsOf([author, second, outsider]);
    for (const recipients of [extra, missing, swapped, recipientsOf([...devices, third]), []])
      expect(verify(statement, { recipients })).toBe('recipients-mismatch');
    expect(verify(statement, { recipients: recipientsOf(devices.toReversed()) })).toBeNull();
  });

  test('a set that is larger than an argument list can be has a hash', () => {
    const many = Array.from({ length: 70_000 }, (_, index) => ({
      device: deviceId(index.toString(16).padStart(64, '0')),
      sealingPublicKey: new Uint8Array(0),
    }));
    expect(recipientsHash(primitives, many)).toHaveLength(32);
  });

  test('an author outside its own epoch is refused by the maker and by the reader', async () => {
    const input = { ...world.input, signer: outsider.signer, author: outsider.id };
    expect(await codeOfAsync(() => createEpoch(input))).toBe('not-a-recipient');
    expect(await codeOfAsync(() => createEpoch({ ...world.input, signer: outsider.signer }))).toBe(
      'wrong-context',
    );
    const fields = [...(decodeCbor(statement.bytes, 1_000_000) as readonly CborValue[])];
    fields[13] = idBytes(outsider.id);
    const bytes = encodeCbor(fields);
    const signature = signBytes(primitives, outsider.signer, 'epochStatementSignature', bytes);
    const intruding = parseEpochStatement(primitives, encodeCbor([bytes, signature]));
    expect(verify(intruding, { authorVerifier: outsider.verifier })).toBe('not-a-recipient');
  });

  test('twins among the recipients are refused', async () => {
    const recipients = [...world.input.recipients, ...world.input.recipients.slice(0, 1)];
    expect(await codeOfAsync(() => createEpoch({ ...world.input, recipients }))).toBe('recipients-mismatch');
    expect(codeOf(() => recipientsHash(primitives, []))).toBe('recipients-mismatch');
  });

  const zeros = new Uint8Array(32);
  const sender = (device: TestDevice): CborValue => [idBytes(device.id), 0, zeros];
  const [low, high] = [second, author].toSorted((a, b) => (a.id < b.id ? -1 : 1)) as [TestDevice, TestDevice];
  test.each<[string, number, CborValue, string]>([
    ['another version', 0, 2, 'unsupported-version'],
    ['another suite', 1, 2, 'unsupported-version'],
    ['epoch 0', 4, 0, 'malformed'],
    ['epoch 2^32', 4, 2 ** 32, 'malformed'],
    ['epoch 1 with a past', 4, 1, 'malformed'],
    ['a block that ends before it starts', 6, 0, 'malformed'],
    ['epoch 2 without a past', 7, zeros, 'malformed'],
    ['a short root', 8, [1, zeros.subarray(1)], 'malformed'],
    ['epoch 2 that calls itself the first', 11, 0, 'malformed'],
    ['an unknown reason', 11, 4, 'malformed'],
    ['a closing in the wrong order', 12, [4, zeros, [sender(high), sender(low)]], 'malformed'],
    ['a closing with a sender twice', 12, [4, zeros, [sender(low), sender(low)]], 'malformed'],
    ['a closing that is not an array', 12, null, 'malformed'],
    ['a negative time', 14, -1, 'malformed'],
  ])('refuses %s, though it is signed', (_, index, value, code) => {
    expect(codeOf(() => parseEpochStatement(primitives, forged(index, value)))).toBe(code);
  });

  test('refuses more than 1 MiB', () => {
    expect(codeOf(() => parseEpochStatement(primitives, new Uint8Array(1024 * 1024 + 1)))).toBe('too-large');
  });
});

describe('epoch key', () => {
  test('opens from each recipient’s own box, to the same key, and from no other box', () => {
    for (const { device, box } of created.boxes) {
      const holder = devices.find(({ id }) => id === device) as TestDevice;
      const key = openEpochBox(primitives, [holder.decapsulator], statement, device, box);
      expect(key.equals(created.key)).toBe(true);
      const stranger = outsider.decapsulator;
      expect(codeOf(() => openEpochBox(primitives, [stranger], statement, device, box))).toBe(
        'decryption-failed',
      );
      const other = devices.find(({ id }) => id !== device) as TestDevice;
      expect(codeOf(() => openEpochBox(primitives, [holder.decapsulator], statement, other.id, box))).toBe(
        'decryption-failed',
      );
    }
  });

  test('opens with whichever of several sealing keys the box is sealed to', () => {
    const box = created.boxes.find(({ device }) => device === second.id)?.box as Uint8Array;
    const open = (...keys: (typeof second.decapsulator)[]) =>
      openEpochBox(primitives, keys, statement, second.id, box);
    const [own, older] = [second.decapsulator, outsider.decapsulator];
    expect(open(own, older).equals(created.key)).toBe(true);
    expect(open(older, third.decapsulator, own).equals(created.key)).toBe(true);
    expect(codeOf(() => open(older, third.decapsulator))).toBe('decryption-failed');
    expect(codeOf(() => open())).toBe('decryption-failed');
    const short = box.subarray(0, 100);
    const shortCode = codeOf(() => openEpochBox(primitives, [older, own], statement, second.id, short));
    expect(shortCode).toBe('malformed');
  });

  test('is not sealed to a device without a sealing key in force, which is a recipient all the same', async () => {
    const recipients = world.input.recipients.map((recipient) =>
      recipient.device === third.id ? { ...recipient, encapsulator: null } : recipient,
    );
    const made = await createEpoch({ ...world.input, recipients });
    expect(made.boxes.map(({ device }) => device)).toEqual([author.id, second.id].toSorted());
    expect(verify(parseEpochStatement(primitives, made.statement))).toBeNull();
  });

  test('a box of another epoch does not open', () => {
    const old = created.boxes.find(({ device }) => device === second.id)?.box as Uint8Array;
    expect(codeOf(() => openEpochBox(primitives, [second.decapsulator], nextStatement, second.id, old))).toBe(
      'decryption-failed',
    );
  });

  test('a substituted key is caught by the commitment', () => {
    const context = concatBytes(statement.hash, idBytes(second.id));
    const box = sealBox(primitives, second.encapsulator, context, world.random(32));
    expect(codeOf(() => openEpochBox(primitives, [second.decapsulator], statement, second.id, box))).toBe(
      'commitment-mismatch',
    );
    const short = sealBox(primitives, second.encapsulator, context, world.random(31));
    expect(codeOf(() => openEpochBox(primitives, [second.decapsulator], statement, second.id, short))).toBe(
      'malformed',
    );
    const key = Secret.own(world.random(32));
    expect(codeOf(() => openEpoch({ primitives, statement, key, devices: [] }))).toBe('commitment-mismatch');
  });

  test('a key with a zero behind it, which HMAC takes for the same, is another key', () => {
    const longer = created.key.use((bytes) => Secret.own(concatBytes(bytes, Uint8Array.of(0))));
    expect(keyCommitment(primitives, statement, longer)).toEqual(statement.keyCommitment);
    expect(codeOf(() => verifyCommitment(primitives, statement, longer))).toBe('commitment-mismatch');
  });

  test('is fresh in each epoch, and tells its progress', async () => {
    expect(next.key.equals(created.key)).toBe(false);
    const many = makeWorld('many', 70);
    const progress: string[] = [];
    const epoch = await createEpoch({
      ...many.input,
      onProgress: (sealed, total) => progress.push(`${sealed}/${total}`),
    });
    expect(progress).toEqual(['32/70', '64/70', '70/70']);
    expect(epoch.boxes.map(({ device }) => device)).toEqual(many.devices.map(({ id }) => id).toSorted());
  });

  describe('lets everything else in the process have its turn between boxes', () => {
    const many = makeWorld('many turns', 160);
    async function turnsOf(now?: () => number): Promise<number> {
      let turns = 0;
      let isDone = false;
      const count = (): void => {
        turns += 1;
        if (!isDone) setImmediate(count);
      };
      setImmediate(count);
      await createEpoch({ ...many.input, ...(now === undefined ? {} : { now }) });
      isDone = true;
      return turns;
    }

    test('without a clock, after so many', async () => {
      expect(await turnsOf()).toBeGreaterThanOrEqual(4);
    });

    test('on a phone, where a box takes longer than a turn, after each', async () => {
      let nowMs = 0;
      const sealed: number[] = [];
      const now = (): number => (nowMs += 33);
      const onProgress = (done: number): void => void sealed.push(done);
      await createEpoch({ ...many.input, now, onProgress });
      expect(sealed).toEqual(Array.from({ length: 160 }, (_, index) => index + 1));
    });

    test('on a server, where the clock moves by less, after 10 ms', async () => {
      let nowMs = 0;
      const sealed: number[] = [];
      const onProgress = (done: number): void => void sealed.push(done);
      await createEpoch({ ...many.input, now: () => (nowMs += 0.25), onProgress });
      expect(sealed).toEqual([40, 80, 120, 160]);
    });
  });

  test('keeps no key when it fails half-way', async () => {
    const many = makeWorld('half-way', 3);
    const drawn: Uint8Array[] = [];
    const random = (sizeBytes: number): Uint8Array => {
      const bytes = many.input.random(sizeBytes);
      drawn.push(bytes);
      return bytes;
    };
    const onProgress = (): void => {
      throw new Error('the screen is gone');
    };
    await expect(createEpoch({ ...many.input, random, onProgress })).rejects.toThrow('the screen is gone');
    expect(drawn[0]).toEqual(new Uint8Array(32));
  });

  test('errors of this package are CryptoErrors with the cause kept', () => {
    const error = new CryptoError('malformed', 'message', { cause: 'why' });
    expect([error.name, error.code, error.cause]).toEqual(['CryptoError', 'malformed', 'why']);
  });
});
