import { exportArchive, readArchive } from '@keytide/archive';
import { entriesIn, jsonLines, readJsonLines, type OpenedEntry } from '@keytide/archive/formats';
import type { CborValue } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { identities, optionsFor, someDays } from '../exporting.ts';
import { memoryDestination } from '../memory-destination.ts';
import { anyText, bytesOf, chat, logOf, message, unreadable } from './entries.ts';

const fieldName = fc
  .oneof(fc.constantFrom('$bytes', '$map', 'text'), anyText)
  .filter((name) => name !== '__proto__');
const fraction = fc.double({ noNaN: true, noDefaultInfinity: true, noInteger: true });
const { content } = fc.letrec<{ content: CborValue }>((tie) => ({
  content: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    ...[fc.maxSafeInteger(), fraction, anyText, fc.boolean(), fc.constant(null)],
    fc.uint8Array({ maxLength: 8 }),
    fc.array(tie('content'), { maxLength: 4 }),
    fc.dictionary(fieldName, tie('content'), { maxKeys: 3, noNullPrototype: true }),
  ),
}));

async function readBack(entries: readonly OpenedEntry[]): Promise<OpenedEntry[]> {
  const read: OpenedEntry[] = [];
  for await (const entry of readJsonLines(jsonLines(() => entries))) read.push(entry);
  return read;
}

describe('entries as JSON lines', () => {
  test('give back the same entries, whatever they say', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(content, { maxLength: 5 }), anyText, async (contents, name) => {
        const entries = contents.map((said, index) => message(index + 1, { content: said, by: name }));
        expect(await readBack(entries)).toEqual(entries);
      }),
      { seed: 20_261_122, numRuns: 300 },
    );
  });

  test('have statements, what is unreadable, what does not count, attachments and payloads of no form of ours', async () => {
    const { log, world } = await someDays();
    const entries: OpenedEntry[] = log.map((entry) => ({
      ...{ group: world.state.everyone, entry, name: null, endMs: entry.seq },
    }));
    const [first] = logOf({ content: chat(1, {}) }) as [OpenedEntry];
    if (first.entry.kind !== 'message') throw new Error('not a message');
    entries.push(
      { ...first, entry: { ...first.entry, payload: Uint8Array.of(0xff, 1) } },
      unreadable(99, 'ask-an-admin'),
    );
    const kinds = new Set(entries.map(({ entry }) => entry.kind));
    expect([
      kinds.size,
      entries.some(({ entry }) => entry.kind === 'message' && entry.invalid === 'schema'),
    ]).toEqual([3, true]);
    expect(await readBack(entries)).toEqual(entries);
  });

  test('an archive gives its entries, with the names of those who wrote them', async () => {
    const source = await someDays();
    const destination = memoryDestination();
    await exportArchive(optionsFor(source, destination));
    const archive = await readArchive({ primitives, files: destination, identities });
    const entries = entriesIn(archive);
    const read: OpenedEntry[] = [];
    for await (const entry of readJsonLines(jsonLines(entries))) read.push(entry);
    const [founder, second, third] = source.world.members.map(({ handle }) => handle);
    const written: OpenedEntry[] = [];
    for await (const entry of entries()) written.push(entry);
    expect(read).toEqual(written);
    expect(read.map(({ name }) => name)).toEqual([null, founder, second, null, third, null, null, founder]);
  });

  test('what is no such line is refused', async () => {
    const [line] = (await bytesOf(jsonLines(() => logOf({ content: chat(1, { text: 'a' }) }))))
      .toString()
      .split('\n');
    for (const wrong of [
      '{}',
      '[]',
      'x',
      String(line).replace('"seq":1', '"seq":0'),
      String(line).replace('"content"', '"other"'),
    ]) {
      const reading = readJsonLines([Buffer.from(`${wrong}\n`)]).next();
      await expect(reading).rejects.toMatchObject({ code: 'malformed' });
    }
  });
});
