import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hybridIdentity, verifyArchive, type Destination } from '@keytide/archive';
import { createOrganisation } from '@keytide/client';
import { exportOrganisation } from '@keytide/client/export';
import { nodePorts, openFileDeviceStore } from '@keytide/client/node';
import { toHex } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { startRelay, type Relay } from '@keytide/server-relay';
import { memoryDatabase, seededRandom, startTestS3, type TestS3 } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { archiveKey, linesOf, namesIn } from '../sync/archived.ts';
import { endChildren, startChild } from './child.ts';
import { crashingAt } from './crash-point.ts';
import { withPlace, type Place } from './export-place.ts';
import { definition, openExporter } from './export-world.ts';
import { QUICK_KDF } from './organisation.ts';

/** In each kind of place. Sized by KEYTIDE_EXPORT_KILLS: 50 before a release, few in CI. */
const KILLS = Number(process.env['KEYTIDE_EXPORT_KILLS'] ?? 2);
/** What an export of this log changes outside its process, about: each kill is at one of these steps. */
const STEPS = { folder: 400, zip: 500, bucket: 300 };
const MESSAGES = 420;
/** More than a bucket takes in one part. */
const LARGE_BYTES = 9_000_000;

const random = seededRandom('kills');
let folder: string;
let home: string;
let relay: Relay;
let s3: TestS3;
let whole: Awaited<ReturnType<typeof archiveIn>>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keytide-kills-'));
  home = join(folder, 'ada');
  s3 = await startTestS3({ now: () => Date.now(), pageSize: 10 });
  relay = await startRelay({ database: memoryDatabase(), port: 0, log: () => {} });
  const store = await openFileDeviceStore({ home, passphrase: 'p', kdf: QUICK_KDF });
  const options = { definition, ports: nodePorts, store, relayUrl: relay.url, handle: 'ada' };
  const ada = await createOrganisation(options);
  for (const sizeBytes of [LARGE_BYTES, 10]) {
    const file = await ada.attachments.upload(new Uint8Array(sizeBytes));
    await ada.collections.chat.append({ text: 'look', file });
  }
  // More than a segment holds.
  const texts = Array.from({ length: MESSAGES }, (_, i) => `${i} ${'x'.repeat(10_000)}`);
  await Promise.all(texts.map((text) => ada.collections.chat.append({ text })));
  await ada.settled();
  await ada.close();
  const place = placeAt('folder', 'whole');
  await goOn(place);
  whole = await archiveIn(place);
  expect(whole.lines).toHaveLength(MESSAGES + 2);
});

afterAll(async () => {
  await endChildren();
  await relay?.close();
  await s3?.close();
  await rm(folder, { recursive: true, force: true });
});

const kills = Array.from({ length: KILLS }).flatMap(() =>
  (['folder', 'zip', 'bucket'] as const).map((kind): [typeof kind, number] => {
    const [a, b] = random(2) as unknown as [number, number];
    return [kind, 1 + ((a * 256 + b) % STEPS[kind])];
  }),
);

test.each(kills)(
  'an export into a %s that was killed at step %i is what it would have been',
  async (kind, step) => {
    const place = placeAt(kind, `killed-${kind}-${step}`);
    const argument = { home, place, recipient: toHex(archiveKey.publicKey) };
    const child = startChild({ script: 'export-main.ts', argument, ...crashingAt(step) });
    if ((await child.exited) === null) {
      const begun = await withPlace(place, planIn);
      // Killed where only its end was not known: an archive that is whole is begun by nobody again.
      const isWhole = begun === null && (await withPlace(place, namesIn)).length > 0;
      if (!isWhole) {
        const { signed } = await goOn(place);
        if (begun !== null) expect(toHex(signed.manifest.id)).toBe(begun.id);
      }
    }
    expect(await archiveIn(place)).toEqual(whole);
    const identities = [hybridIdentity(primitives, archiveKey)];
    const report = await withPlace(place, (files) => verifyArchive({ primitives, files, identities }));
    expect(report).toMatchObject({ verdict: 'sound', findings: [] });
    expect(s3.uploads.size, 'uploads that nobody ends').toBe(0);
    if (place.kind !== 'bucket') await rm(place.path, { recursive: true });
    s3.objects.clear();
  },
);

function placeAt(kind: Place['kind'], name: string): Place {
  if (kind !== 'bucket') return { kind, path: join(folder, kind === 'zip' ? `${name}.zip` : name) };
  const { bucket, region, url: endpoint } = s3;
  return { kind, bucket, region, endpoint, prefix: name, caller: s3.caller() };
}

async function goOn(place: Place) {
  const client = await openExporter(home);
  try {
    const recipients = [archiveKey.publicKey];
    return await withPlace(place, (destination) => exportOrganisation(client, { destination, recipients }));
  } finally {
    await client.close();
  }
}

async function planIn(files: Destination): Promise<{ id: string } | null> {
  if (!(await namesIn(files)).includes('plan.json')) return null;
  let text = '';
  for await (const piece of files.read('plan.json')) text += Buffer.from(piece).toString();
  return JSON.parse(text) as { id: string };
}

/** An archive but for what is random in it: its names, what anybody may read, and what is sealed, opened. */
function archiveIn(place: Place) {
  return withPlace(place, async (files) => {
    const names = await namesIn(files);
    const plain = names.filter((file) => /\.(?:json|jsonl|leaves)$|statement-before$|README/.test(file));
    const digests = await Promise.all(
      plain.map(async (file) => [file, toHex((await files.digest(file)).sha256)]),
    );
    return { names, digests, lines: await linesOf(files) };
  });
}
