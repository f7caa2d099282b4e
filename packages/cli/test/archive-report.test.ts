import { exportArchive, readArchiveStats, verifyArchive, type ArchiveFilter } from '@keytide/archive';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { beforeAll, expect, test } from 'vitest';
import { optionsFor, someDays } from '../../archive/test/exporting.ts';
import { memoryDestination, type MemoryDestination } from '../../archive/test/memory-destination.ts';
import type { WorldSource } from '../../archive/test/world-source.ts';
import { hasOnlyStrangers, reportLines } from '../src/archive-report.ts';
import { summaryLines } from '../src/archive-summary.ts';
import { filterText } from '../src/filter-text.ts';

let source: WorldSource;
let whole: MemoryDestination;

beforeAll(async () => {
  source = await someDays();
  whole = memoryDestination();
  await exportArchive(optionsFor(source, whole));
});

const reported = (files: MemoryDestination) => verifyArchive({ primitives, files });

test('what is sound and can be read only in part says so, as a person would', async () => {
  expect(reportLines(await reported(whole)).at(-1)).toBe('sound; 1 of 5 messages cannot be read');
});

test('what was made with a filter says so, with names, and how much is left out', async () => {
  const member = source.world.members[1] as WorldSource['world']['members'][0];
  const filter = { members: [member.id], fromMs: Date.UTC(1970, 0, 1) };
  const files = memoryDestination();
  await exportArchive({ ...optionsFor(source, files), filter });
  const report = await reported(files);
  const lines = reportLines(report);
  const only = `only what is from member-1 (${member.id.slice(0, 8)}); since 1970-01-01`;
  expect(lines).toContain(`filter  ${only}; messages left out: 3`);
  expect(lines.at(-1)).toMatch(/^sound, and not everything: made with a filter; 1 of 2 messages/);
  const stats = await readArchiveStats(files);
  expect(summaryLines(stats, report.archive?.filterMembers)).toContain(`${'filter'.padEnd(12)} ${only}`);
  expect(summaryLines(stats).join('\n')).toContain(`from ${member.id}; since`);
});

test.each<[ArchiveFilter, string]>([
  [{ collections: ['chat', 'requests'] }, 'only what is of chat, requests'],
  [{ toMs: Date.UTC(2026, 2, 1, 12) }, 'only what is before 2026-03-01T12:00:00.000Z'],
  [{ members: [] }, 'only what is from nobody'],
  [{ fromMs: Number.MAX_SAFE_INTEGER }, 'only what is since ?'],
])('%j is told as %s', (filter, text) => expect(filterText(filter, [])).toBe(text));

test('files that lie in an archive are told from an archive that has changed', async () => {
  const { files } = whole;
  files.set('.DS_Store', Uint8Array.of(1));
  expect(hasOnlyStrangers(await reported(whole))).toBe(true);
  const segment = [...files.keys()].find((name) => name.endsWith('.leaves')) as string;
  const bytes = files.get(segment) as Uint8Array;
  files.set(segment, bytes.slice(1));
  expect(hasOnlyStrangers(await reported(whole))).toBe(false);
  files.set(segment, bytes);
  files.delete('.DS_Store');
  expect(hasOnlyStrangers(await reported(whole))).toBe(false);
});
