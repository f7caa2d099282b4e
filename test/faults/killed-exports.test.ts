import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hybridIdentity, verifyArchive } from '@keytide/archive';
import { folderDestination } from '@keytide/archive/node';
import { createOrganisation } from '@keytide/client';
import { exportOrganisation } from '@keytide/client/export';
import { nodePorts, openFileDeviceStore } from '@keytide/client/node';
import { toHex } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { startRelay, type Relay } from '@keytide/server-relay';
import { memoryDatabase, seededRandom } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { archiveKey, linesOf, namesIn } from '../sync/archived.ts';
import { endChildren, startChild } from './child.ts';
import { crashingAt } from './crash-point.ts';
import { definition, openExporter } from './export-world.ts';
import { QUICK_KDF } from './organisation.ts';

/** Sized by KEYTIDE_EXPORT_KILLS: 50 before a release, few in CI. */
const KILLS = Number(process.env['KEYTIDE_EXPORT_KILLS'] ?? 4);
/** What an export of this log changes outside its process, about: each kill is at one of these steps. */
const STEPS = 260;
const MESSAGES = 420;

const random = seededRandom('kills');
let folder: string;
let home: string;
let relay: Relay;
let whole: Awaited<ReturnType<typeof archiveIn>>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keytide-kills-'));
  home = join(folder, 'ada');
  relay = await startRelay({ database: memoryDatabase(), port: 0, log: () => {} });
  const store = await openFileDeviceStore({ home, passphrase: 'p', kdf: QUICK_KDF });
  const options = { definition, ports: nodePorts, store, relayUrl: relay.url, handle: 'ada' };
  const ada = await createOrganisation(options);
  for (const sizeBytes of [300_000, 10]) {
    const file = await ada.attachments.upload(random(sizeBytes));
    await ada.collections.chat.append({ text: 'look', file });
  }
  // More than a segment holds.
  const texts = Array.from({ length: MESSAGES }, (_, i) => `${i} ${'x'.repeat(10_000)}`);
  await Promise.all(texts.map((text) => ada.collections.chat.append({ text })));
  await ada.settled();
  await ada.close();
  await goOn('whole');
  whole = await archiveIn('whole');
  expect(whole.lines).toHaveLength(MESSAGES + 2);
});

afterAll(async () => {
  await endChildren();
  await relay?.close();
  await rm(folder, { recursive: true, force: true });
});

const steps = Array.from({ length: KILLS }, () => {
  const [a, b] = random(2) as unknown as [number, number];
  return 1 + ((a * 256 + b) % STEPS);
});

test.each(steps)('an export that was killed at step %i is what it would have been', async (step) => {
  const name = `killed-${step}`;
  const recipient = toHex(archiveKey.publicKey);
  const argument = { home, folder: join(folder, name), recipient };
  const child = startChild({ script: 'export-main.ts', argument, ...crashingAt(step) });
  if ((await child.exited) === null) {
    const begun = await planIn(name);
    const { signed } = await goOn(name);
    if (begun !== null) expect(toHex(signed.manifest.id)).toBe(begun.id);
  }
  expect(await archiveIn(name)).toEqual(whole);
  const files = folderDestination(join(folder, name));
  const identities = [hybridIdentity(primitives, archiveKey)];
  expect(await verifyArchive({ primitives, files, identities })).toMatchObject({
    verdict: 'sound',
    findings: [],
  });
  await rm(join(folder, name), { recursive: true });
});

async function goOn(name: string) {
  const client = await openExporter(home);
  try {
    const destination = folderDestination(join(folder, name));
    return await exportOrganisation(client, { destination, recipients: [archiveKey.publicKey] });
  } finally {
    await client.close();
  }
}

async function planIn(name: string): Promise<{ id: string } | null> {
  const text = await readFile(join(folder, name, 'plan.json'), 'utf8').catch(() => null);
  return text === null ? null : (JSON.parse(text) as { id: string });
}

/** An archive but for what is random in it: its names, what anybody may read, and what is sealed, opened. */
async function archiveIn(name: string) {
  const place = folderDestination(join(folder, name));
  const names = await namesIn(place);
  const plain = names.filter((file) => /\.(?:json|jsonl|leaves)$|statement-before$|README/.test(file));
  const digests = await Promise.all(
    plain.map(async (file) => [file, toHex((await place.digest(file)).sha256)]),
  );
  return { names, digests, lines: await linesOf(join(folder, name)) };
}
