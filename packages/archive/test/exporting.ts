import { nodePrimitives as primitives, nodeRandom } from '@keytide/crypto-core/node';
import { seededRandom } from '@keytide/testkit';
import {
  hybridIdentity,
  openAge,
  type ArchiveFiles,
  type Destination,
  type ExportOptions,
} from '../src/index.ts';
import { readLines } from '../src/container/json-lines.ts';
import type { MemoryDestination } from './memory-destination.ts';
import { worldSource, type Said, type WorldPeople, type WorldSource } from './world-source.ts';

/** The archive key of these tests. */
export const archiveKey = primitives.decapsulator(new Uint8Array(32).fill(0x5e));
/** What opens what is sealed to it. */
export const identities = [hybridIdentity(primitives, archiveKey)];

/** Somebody says something. */
export function said(by: number, ms: number, body: { [name: string]: string | number | Uint8Array }): Said {
  return { by, content: [1, 0, 'chat', '', ms, 0, body] };
}

/** Three days with everything in them: eight entries. */
export async function someDays(people: WorldPeople = {}): Promise<WorldSource> {
  const source = worldSource('some days', 3, undefined, people);
  await source.day([said(0, 1, { text: 'hello' }), said(1, 2, { text: 'hi' })]);
  await source.day([
    { ...said(2, 3, { text: 4 }), invalid: 'schema' },
    { ...said(2, 4, { text: 'gone' }), unreadable: 'ask-an-admin' },
  ]);
  await source.day([
    { ...said(0, 5, { photo: Uint8Array.of(1, 2) }), attachments: [seededRandom('photo')(70_000)] },
  ]);
  return source;
}

/** An export by the founder, sealed to the archive key of these tests. */
export function optionsFor(source: WorldSource, destination: Destination): ExportOptions {
  const [founder] = source.world.members;
  const device = founder.devices[0];
  return {
    ...{ primitives, random: nodeRandom, source, destination, now: () => Date.UTC(2030, 5, 1) },
    exporter: { device: device.id, signer: device.signer },
    recipients: [archiveKey.publicKey],
  };
}

/** What a file says: the lines of sealed ones and of others, by name; without what differs from one sealing to the next. */
export async function contentOf(files: Pick<ArchiveFiles, 'list' | 'read'>): Promise<Map<string, unknown>> {
  const names: string[] = [];
  for await (const { name } of files.list()) names.push(name);
  const content = new Map<string, unknown>();
  for (const name of names.toSorted()) {
    const sealed = (): AsyncIterable<Uint8Array> => openAge(files.read(name), { primitives, identities });
    if (name.startsWith('data/attachments/')) content.set(name, await bytesOf(sealed()));
    else if (name.endsWith('.age')) content.set(name, await linesOf(sealed()));
    else if (name.startsWith('data/')) content.set(name, await bytesOf(files.read(name)));
  }
  return content;
}

/** The lines of all segments. */
export async function segmentLines(destination: MemoryDestination): Promise<unknown[]> {
  const content = await contentOf(destination);
  return [...content].flatMap(([name, lines]) =>
    /segments\/.*\d\.age$/.test(name) ? (lines as unknown[]) : [],
  );
}

async function bytesOf(bytes: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of bytes) pieces.push(piece.slice());
  return new Uint8Array(Buffer.concat(pieces));
}

async function linesOf(bytes: AsyncIterable<Uint8Array>): Promise<unknown[]> {
  const lines: unknown[] = [];
  for await (const line of readLines(bytes)) lines.push(line);
  return lines;
}
