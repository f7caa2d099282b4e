import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Primitives } from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom as random } from '@keytide/crypto-core/node';
import { Decrypter, Encrypter } from 'age-encryption';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '@keytide/testkit';
import {
  ArchiveError,
  openAge,
  printIdentity,
  printRecipient,
  readIdentity,
  readRecipient,
  sealAge,
} from '../../src/index.ts';
import { attachmentFile } from '../../src/container/names.ts';
import { folderDestination } from '../../src/node.ts';

const seed = random(32);
const recipient = primitives.encapsulator(primitives.decapsulator(seed).publicKey);
const identity = readIdentity(primitives, printIdentity(seed));
const CHUNK = 65_536;
const sizes = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 7];

async function seal(plain: Uint8Array): Promise<Uint8Array> {
  return collected(sealAge([plain], { primitives, random, recipients: [recipient] }));
}

async function open(file: Uint8Array): Promise<Uint8Array> {
  return collected(openAge([file], { primitives, identities: [identity] }));
}

async function collected(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const piece of pieces) parts.push(piece);
  return new Uint8Array(Buffer.concat(parts));
}

const bytesOf = (size: number): Uint8Array => seededRandom('age')(size);

describe('an age file', () => {
  test.each(sizes)('of %d bytes opens as it was, here and by age-encryption', async (size) => {
    const plain = bytesOf(size);
    const file = await seal(plain);
    expect(await open(file)).toEqual(plain);
    const decrypter = new Decrypter();
    decrypter.addIdentity(printIdentity(seed));
    expect(new Uint8Array(await decrypter.decrypt(file))).toEqual(plain);
  });

  test.each(sizes)('of %d bytes by age-encryption opens here', async (size) => {
    const plain = bytesOf(size);
    const encrypter = new Encrypter();
    encrypter.addRecipient(printRecipient(recipient.publicKey));
    expect(await open(await encrypter.encrypt(plain))).toEqual(plain);
  });

  test('opens for each of its recipients, and for nobody else', async () => {
    const other = random(32);
    const keys = [seed, other].map((one) => primitives.encapsulator(primitives.decapsulator(one).publicKey));
    const file = await collected(sealAge([bytesOf(9)], { primitives, random, recipients: keys }));
    for (const one of [seed, other]) {
      const identities = [readIdentity(primitives, printIdentity(one))];
      expect(await collected(openAge([file], { primitives, identities }))).toEqual(bytesOf(9));
    }
    const identities = [readIdentity(primitives, printIdentity(random(32)))];
    await expect(collected(openAge([file], { primitives, identities }))).rejects.toMatchObject({
      code: 'no-identity',
    });
  });

  test('cut at every boundary of a chunk and at every byte of the last: damaged, and what came before is true', async () => {
    const plain = bytesOf(2 * CHUNK + 50);
    const file = await seal(plain);
    const payload = file.length - (plain.length + 3 * 16);
    const cuts = [0, 1, 2].map((chunk) => payload + chunk * (CHUNK + 16));
    for (let cut = payload + 2 * (CHUNK + 16) + 1; cut < file.length; cut += 1) cuts.push(cut);
    for (const cut of cuts) {
      const parts: Uint8Array[] = [];
      const reading = async (): Promise<void> => {
        for await (const part of openAge([file.subarray(0, cut)], { primitives, identities: [identity] }))
          parts.push(part);
      };
      await expect(reading()).rejects.toMatchObject({ code: 'damaged' });
      const before = Buffer.concat(parts);
      expect(Buffer.compare(before, plain.subarray(0, before.length))).toBe(0);
    }
  });

  test('with any bit of a small file turned, or any byte of its header gone, does not open', async () => {
    const file = await seal(bytesOf(40));
    for (let at = 0; at < file.length; at += 1) {
      const turned = file.slice();
      turned[at] = (turned[at] as number) ^ 1;
      const outcome = await open(turned).catch((error: unknown) => error);
      expect(outcome, `byte ${at}`).toBeInstanceOf(ArchiveError);
    }
  });

  test('that cannot be read to its end, or made of what cannot, gives what there was before', async () => {
    const plain = bytesOf(5 * CHUNK);
    const file = await seal(plain);
    async function* broken(bytes: Uint8Array) {
      yield bytes.subarray(0, -1);
      throw new Error('the disk');
    }
    for (const [broke, least] of [
      [openAge(broken(file), { primitives, identities: [identity] }), 3 * CHUNK],
      [sealAge(broken(plain), { primitives, random, recipients: [recipient] }), 3 * CHUNK],
    ] as const) {
      let sizeBytes = 0;
      const reading = async (): Promise<void> => {
        for await (const part of broke) sizeBytes += part.length;
      };
      await expect(reading()).rejects.toThrow('the disk');
      expect(sizeBytes).toBeGreaterThanOrEqual(least);
    }
  });

  test('is the same with primitives that give their results in memory of their own', async () => {
    const plain = bytesOf(2 * CHUNK + 7);
    const own: Primitives = {
      ...primitives,
      aeadSeal: ({ key, nonce, associated, data }) => primitives.aeadSeal({ key, nonce, associated, data }),
      aeadOpen: ({ key, nonce, associated, data }) => primitives.aeadOpen({ key, nonce, associated, data }),
    };
    const file = await collected(sealAge([plain], { primitives: own, random, recipients: [recipient] }));
    expect(await open(file)).toEqual(plain);
    expect(await collected(openAge([file], { primitives: own, identities: [identity] }))).toEqual(plain);
  });

  test('in a folder, where memory goes round, is what was sealed, and opens as what it was', async () => {
    const plain = random(4_500_000);
    const folder = await mkdtemp(join(tmpdir(), 'keytide-age-'));
    try {
      const place = folderDestination(folder);
      const [name, again] = [attachmentFile('ab'.repeat(32)), attachmentFile('cd'.repeat(32))];
      const opened = () => openAge(place.read(name), { primitives, identities: [identity] });
      await place.write(name, sealAge([plain], { primitives, random, recipients: [recipient] }));
      expect(Buffer.compare(await collected(opened()), plain)).toBe(0);
      const { sha256 } = await place.write(again, opened());
      expect(sha256).toEqual(primitives.sha256(plain));
      expect(Buffer.compare(await collected(place.read(again)), plain)).toBe(0);
      const decrypter = new Decrypter();
      decrypter.addIdentity(printIdentity(seed));
      expect(Buffer.compare(await decrypter.decrypt(await collected(place.read(name))), plain)).toBe(0);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test('is sealed to somebody', async () => {
    await expect(sealAge([], { primitives, random, recipients: [] }).next()).rejects.toThrow(RangeError);
  });
});

describe('a key as text', () => {
  test('comes back as it was', () => {
    expect(readRecipient(printRecipient(recipient.publicKey))).toEqual(recipient.publicKey);
    expect(printRecipient(recipient.publicKey)).toMatch(/^age1pq1/);
    expect(printIdentity(seed)).toMatch(/^AGE-SECRET-KEY-PQ-1/);
  });

  test('that is none is refused', () => {
    const [to, own] = [printRecipient(recipient.publicKey), printIdentity(seed)];
    const wrong = [own, to.slice(0, -1), `${to.slice(0, -1)}q`, to.toUpperCase().replace('AGE', 'age'), ''];
    for (const text of wrong) expect(() => readRecipient(text)).toThrow(ArchiveError);
    for (const text of [to, own.toLowerCase(), own.slice(1), `${own}Q`])
      expect(() => readIdentity(primitives, text)).toThrow(ArchiveError);
  });
});
