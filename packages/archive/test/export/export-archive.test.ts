import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodePrimitives as primitives, nodeRandom as random } from '@keytide/crypto-core/node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  exportArchive,
  hybridIdentity,
  openAge,
  type Destination,
  type ExportOptions,
} from '../../src/index.ts';
import { readLines } from '../../src/container/json-lines.ts';
import { folderDestination } from '../../src/node.ts';
import { worldSource, type WorldSource } from '../world-source.ts';

const NOW_MS = Date.UTC(2030, 5, 1);
const key = primitives.decapsulator(new Uint8Array(32).fill(0x5e));

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keytide-archive-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('an export', () => {
  it('has every entry in the order of the log, with what it says', async () => {
    const source = await someDays();
    const destination = folderDestination(join(folder, 'a'));
    const { signed, missing } = await exportArchive(optionsFor(source, destination));
    expect(missing).toEqual([]);
    expect(signed.manifest.groups[0]).toMatchObject({
      throughSeq: 8,
      messages: 4,
      invalid: 1,
      unreadable: 1,
      skipped: 0,
    });
    const names: string[] = [];
    for await (const { name } of destination.list()) names.push(name);
    const segment = names.find((name) => name.endsWith('-000000000008.age')) as string;
    const identities = [hybridIdentity(primitives, key)];
    const lines: unknown[] = [];
    for await (const line of readLines(openAge(destination.read(segment), { primitives, identities })))
      lines.push(line);
    expect(lines).toMatchObject([
      { seq: 2, content: [1, 0, 'chat', '', 1, 0, { text: 'hello' }] },
      { seq: 3, content: [1, 0, 'chat', '', 2, 0, { text: 'hi' }] },
      { seq: 5, invalid: 'schema' },
      { seq: 6, unreadable: 'ask-an-admin' },
      { seq: 8, content: [1, 0, 'chat', '', 5, 0, { photo: { $bytes: 'AQI' } }] },
    ]);
    expect(names).not.toContain('plan.json');
  });
});

async function someDays(): Promise<WorldSource> {
  const source = worldSource('some days');
  await source.day([said(0, 1, { text: 'hello' }), said(1, 2, { text: 'hi' })]);
  await source.day([
    { ...said(2, 3, { text: 4 }), invalid: 'schema' },
    { ...said(2, 4, { text: 'gone' }), unreadable: 'ask-an-admin' },
  ]);
  await source.day([said(0, 5, { photo: Uint8Array.of(1, 2) })]);
  return source;
}

function said(by: number, ms: number, body: { [name: string]: string | number | Uint8Array }) {
  return { by, content: [1, 0, 'chat', '', ms, 0, body] };
}

function optionsFor(source: WorldSource, destination: Destination): ExportOptions {
  const [founder] = source.world.members;
  const device = founder.devices[0];
  return {
    ...{ primitives, random, source, destination, now: () => NOW_MS },
    exporter: { device: device.id, signer: device.signer },
    recipients: [key.publicKey],
  };
}
