import {
  attachment,
  connect,
  createOrganisation,
  defineOrganisation,
  join,
  memoryDeviceStore,
  org,
  sensitive,
  type AttachmentRef,
  type AttachmentSource,
  type Client,
  type DeviceStore,
  type Ports,
} from '@keytide/client';
import { ciphertextBytes, fromBase64Url, parseAttachmentDescriptor, Secret } from '@keytide/crypto-core';
import { nodePorts } from '@keytide/client/node';
import { startRelay, type Relay } from '@keytide/server-relay';
import { memoryDatabase, seededRandom } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { z } from 'zod';

const PATIENCE = { timeout: 20_000 };

const definition = defineOrganisation({
  requests: sensitive.record(z.object({ need: z.string(), photos: z.array(attachment()) })),
  notices: org(z.looseObject({})),
});
type Device = Client<typeof definition>;

const seeded = seededRandom('photographs');
let relay: Relay;
let ada: Device;
let bo: Device;
/** So many bytes that no two calls give again. */
function random(sizeBytes: number): Uint8Array {
  const block = seeded(65_521);
  return new Uint8Array(sizeBytes).map((_, i) => (block[i % block.length] as number) ^ (i >> 16));
}

/** How far the relay's clock is ahead. */
let aheadMs = 0;
/** Survives that its client is closed. */
const boStore: DeviceStore = { ...memoryDeviceStore(), close: async () => {} };

/** A network that may go away, and everything of attachments that was sent over it: each byte by its place. */
const network = {
  putsLeft: Infinity,
  sentBytes: 0,
  sent: new Map<string, Uint8Array>(),
  contradictions: 0,
};
const ports: Ports = {
  ...nodePorts,
  fetch: (input, init) => {
    if (init?.method === 'PUT' && init.body instanceof Uint8Array) {
      if (network.putsLeft === 0) return Promise.reject(new TypeError('no network'));
      network.putsLeft -= 1;
      note(new URL(String(input)), init.body);
    }
    return nodePorts.fetch(input, init);
  },
};

function note(url: URL, bytes: Uint8Array): void {
  const offset = Number(url.searchParams.get('offset'));
  network.sentBytes += bytes.length;
  const before = network.sent.get(url.pathname) ?? new Uint8Array(8_000_000);
  network.sent.set(url.pathname, before);
  const known = before.subarray(offset, offset + bytes.length);
  // Nothing was sent there yet, or the very same.
  if (known.some((byte) => byte !== 0) && !Buffer.from(known).equals(bytes)) network.contradictions += 1;
  known.set(bytes);
}

beforeAll(async () => {
  const clock = { now: () => Date.now() + aheadMs };
  relay = await startRelay({ database: memoryDatabase(), port: 0, log: () => {}, clock });
  const options = { definition, ports: nodePorts, store: memoryDeviceStore() };
  ada = await createOrganisation({ ...options, relayUrl: relay.url, handle: 'ada' });
  bo = await join({ definition, ports, store: boStore, link: await ada.invite(), handle: 'bo' });
});

afterAll(async () => {
  await Promise.all([ada?.close(), bo?.close()]);
  await relay?.close();
});

/** Compares large contents at once: what differs would tell nobody anything. */
function expectSame(content: Uint8Array, expected: Uint8Array): void {
  expect(Buffer.from(content).equals(expected)).toBe(true);
}

async function contentOf(device: Device, ref: AttachmentRef): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of device.attachments.download(ref)) parts.push(part);
  return new Uint8Array(Buffer.concat(parts));
}

/** The same bytes as a stream, in pieces that fit nothing. */
function streamOf(bytes: Uint8Array, claimed: number = bytes.length): AttachmentSource {
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += 100_003) yield bytes.subarray(at, at + 100_003);
  }
  return { sizeBytes: claimed, chunks: chunks() };
}

/** The same bytes as a file. */
const fileOf = (bytes: Uint8Array): AttachmentSource => ({
  sizeBytes: bytes.length,
  read: async (offset, sizeBytes) => bytes.slice(offset, offset + sizeBytes),
});

test('bo asks for help with two photographs, and ada sees them', async () => {
  const [bridge, road] = [random(300_000), new TextEncoder().encode('the road behind the mill'.repeat(9))];
  const progress: number[] = [];
  const photos = [
    await bo.attachments.upload(bridge, {
      name: 'bridge.jpg',
      mediaType: 'image/jpeg',
      onProgress: ({ doneBytes, totalBytes }) => progress.push(doneBytes / totalBytes),
    }),
    await bo.attachments.upload(streamOf(road), { name: 'Straße 1.jpg' }),
  ];
  expect(progress.at(-1)).toBe(1);
  const id = await bo.collections.requests.create({ need: 'a way across', photos });
  await bo.settled();
  await expect.poll(() => ada.collections.requests.get(id)?.body.photos.length, PATIENCE).toBe(2);
  const seen = ada.collections.requests.get(id)?.body.photos as AttachmentRef[];
  expect(seen.map(({ name, mediaType, sizeBytes }) => [name, mediaType, sizeBytes])).toEqual([
    ['bridge.jpg', 'image/jpeg', 300_000],
    ['Straße 1.jpg', undefined, road.length],
  ]);
  expectSame(await contentOf(ada, seen[0] as AttachmentRef), bridge);
  expectSame(await contentOf(ada, seen[1] as AttachmentRef), road);
  for (const bytes of network.sent.values()) expect(Buffer.from(bytes).includes('the mill')).toBe(false);
});

test('a stretch is read without the rest', async () => {
  const bytes = random(1_500_000);
  const ref = await bo.attachments.upload(fileOf(bytes));
  for (const [offset, sizeBytes] of [
    [0, 10],
    [65_530, 20],
    [100_000, 1_300_000],
    [1_499_999, 1],
    [5, 0],
  ] as const)
    expectSame(
      await ada.attachments.downloadRange(ref, { offset, sizeBytes }),
      bytes.subarray(offset, offset + sizeBytes),
    );
  const outside = ada.attachments.downloadRange(ref, { offset: 1_499_999, sizeBytes: 2 });
  await expect(outside).rejects.toMatchObject({ code: 'malformed' });
});

test('no copy of its key stays in memory once it was read, or given up', async () => {
  const ref = await bo.attachments.upload(random(300_000));
  const { key } = parseAttachmentDescriptor(fromBase64Url(ref.descriptor) as Uint8Array);
  const made: Secret[] = [];
  const { own } = Secret;
  const spy = vi.spyOn(Secret, 'own').mockImplementation((bytes) => {
    const secret = own(bytes);
    made.push(secret);
    return secret;
  });
  const isLeft = (secret: Secret): boolean => {
    try {
      return secret.equals(key);
    } catch {
      return false;
    }
  };
  try {
    await contentOf(ada, ref);
    await ada.attachments.downloadRange(ref, { offset: 7, sizeBytes: 9 });
    for await (const _ of ada.attachments.download(ref)) break;
    const gone = { ...ref, blob: '00'.repeat(32) };
    await expect(contentOf(ada, gone)).rejects.toMatchObject({ code: 'attachment-gone' });
  } finally {
    spy.mockRestore();
  }
  expect(made.length).toBeGreaterThanOrEqual(4);
  expect(made.filter(isLeft)).toEqual([]);
});

test('nothing is an attachment as well', async () => {
  for (const source of [new Uint8Array(), streamOf(new Uint8Array()), fileOf(new Uint8Array())])
    expect(await contentOf(ada, await bo.attachments.upload(source))).toEqual(new Uint8Array());
});

/** Begins an upload and stops the client in the middle of it; opens it again. */
async function breaksOff(source: AttachmentSource, resume: string, puts: number): Promise<void> {
  network.putsLeft = puts;
  const uploading = bo.attachments.upload(source, { resume });
  const failed = expect(uploading).rejects.toMatchObject({ code: 'closed' });
  await expect.poll(() => network.putsLeft, PATIENCE).toBe(0);
  await expect(bo.attachments.upload(source, { resume })).rejects.toMatchObject({ code: 'invalid-value' });
  await bo.close();
  await failed;
  network.putsLeft = Infinity;
  bo = await connect({ definition, ports, store: boStore });
}

test('a phone that stops in the middle of an upload goes on where it was', async () => {
  const bytes = random(5_000_000);
  const wholeBytes = ciphertextBytes({ sizeBytes: bytes.length, padded: true });
  for (const [i, make] of [fileOf, streamOf, (all: Uint8Array) => all].entries()) {
    await breaksOff(make(bytes), `film ${i}`, 3 + 5 * i);
    network.sentBytes = 0;
    const ref = await bo.attachments.upload(make(bytes), { resume: `film ${i}` });
    expect(network.sentBytes).toBe(wholeBytes - (3 + 5 * i) * 262_208);
    expectSame(await contentOf(ada, ref), bytes);
  }
  expect(network.contradictions).toBe(0);
  expect(await boStore.keys.names('attachment-upload/')).toEqual([]);
});

test('the key of an upload that nobody goes on with does not stay', async () => {
  await breaksOff(random(600_000), 'forgotten', 1);
  const kept = () => boStore.keys.names('attachment-upload/');
  expect(await kept()).toEqual(['attachment-upload/forgotten']);
  await bo.close();
  const weekMs = 7 * 24 * 60 * 60 * 1000;
  const clock = { ...nodePorts.clock, now: () => Date.now() + weekMs + 60_000 };
  bo = await connect({ definition, ports: { ...ports, clock }, store: boStore });
  await expect.poll(kept, PATIENCE).toEqual([]);
  await bo.close();
  bo = await connect({ definition, ports, store: boStore });
});

test('what changed meanwhile is not sent under the same key; the next attempt is another attachment', async () => {
  const bytes = random(3_000_000);
  await breaksOff(fileOf(bytes), 'note', 6);
  const changed = bytes.map((byte, i) => (i === 1_100_000 ? byte ^ 1 : byte));
  const before = network.sentBytes;
  await expect(bo.attachments.upload(fileOf(changed), { resume: 'note' })).rejects.toMatchObject({
    code: 'source-changed',
  });
  expect(network.sentBytes).toBe(before);
  const ref = await bo.attachments.upload(fileOf(changed), { resume: 'note' });
  expectSame(await contentOf(ada, ref), changed);
  expect(network.contradictions).toBe(0);

  // Of another length, it is another attachment from the start.
  await breaksOff(fileOf(bytes), 'note', 2);
  const shorter = bytes.slice(0, 2_000_000);
  const other = await bo.attachments.upload(fileOf(shorter), { resume: 'note' });
  expectSame(await contentOf(ada, other), shorter);
  expect(network.contradictions).toBe(0);
});

test('a source that has not the length it said, and a name that is none, are refused', async () => {
  const bytes = random(200_000);
  for (const claimed of [199_999, 200_001, 65_536])
    await expect(bo.attachments.upload(streamOf(bytes, claimed))).rejects.toMatchObject({
      code: 'source-changed',
    });
  const short: AttachmentSource = { sizeBytes: 10, read: async () => new Uint8Array(9) };
  await expect(bo.attachments.upload(short)).rejects.toMatchObject({ code: 'source-changed' });
  const before = network.sentBytes;
  for (const name of ['', '.', '..', '../up', 'a/b', 'a\\b', 'x\u0000', 'gpj.\u202eexe', 'x'.repeat(256)])
    await expect(bo.attachments.upload(bytes, { name }), name).rejects.toMatchObject({
      code: 'invalid-value',
    });
  for (const mediaType of ['', 'image', 'text/html; charset=x', 'a/b\n'])
    await expect(bo.attachments.upload(bytes, { mediaType })).rejects.toMatchObject({
      code: 'invalid-value',
    });
  expect(network.sentBytes).toBe(before);
});

test('a reference is refused where the relay could read its key, and where it is none', async () => {
  const ref = await bo.attachments.upload(random(10));
  for (const body of [{ ref }, { deep: [{ ref }] }, { ...ref }])
    await expect(bo.collections.notices.put('a', body)).rejects.toMatchObject({ code: 'invalid-value' });
  for (const changes of [
    { sizeBytes: 11 },
    { blob: 'ab' },
    { descriptor: ref.descriptor.slice(2) },
    { descriptor: '' },
    { name: '../x' },
    { more: 1 },
  ]) {
    const bad = { ...ref, ...changes } as AttachmentRef;
    expect(attachment().safeParse(bad).success).toBe(false);
    await expect(contentOf(ada, bad)).rejects.toMatchObject({ code: 'invalid-value' });
  }
  // What is written down as JSON is the same afterwards.
  expect(attachment().parse(JSON.parse(JSON.stringify(ref)))).toEqual(ref);
});

test('an upload that nobody wants any more ends', async () => {
  const stop = new AbortController();
  network.putsLeft = 1;
  const uploading = bo.attachments.upload(random(1_000_000), { signal: stop.signal });
  const failed = expect(uploading).rejects.toMatchObject({ code: 'cancelled' });
  await expect.poll(() => network.putsLeft, PATIENCE).toBe(0);
  stop.abort();
  await failed;
  network.putsLeft = Infinity;
});

test('when the export period is over, the relay has it no more, and says so', async () => {
  const bytes = random(1000);
  const ref = await bo.attachments.upload(bytes);
  aheadMs = ada.policy.exportSeconds * 1000 - 60_000;
  expectSame(await contentOf(ada, ref), bytes);
  aheadMs += 120_000;
  await expect(contentOf(ada, ref)).rejects.toMatchObject({ code: 'attachment-gone' });
  await expect(ada.attachments.downloadRange(ref, { offset: 0, sizeBytes: 1 })).rejects.toMatchObject({
    code: 'attachment-gone',
  });
});
