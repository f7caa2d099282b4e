import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { endChildren, startChild } from './child.ts';
import type { LongArchive } from './long-archive-main.ts';

/** Sized by KEYTIDE_ARCHIVE_MESSAGES and KEYTIDE_ARCHIVE_BYTES: before a release 1,000,000 and 2 GB, little in CI. */
const MESSAGES = Number(process.env['KEYTIDE_ARCHIVE_MESSAGES'] ?? 3_000);
const ATTACHMENT_BYTES = Number(process.env['KEYTIDE_ARCHIVE_BYTES'] ?? 128_000_000);
const MOST_BYTES = 300_000_000;
/** Of what is held while it goes on: a hash that was kept for each message would be more. */
const GROWTH_BYTES = 300_000 + 4 * MESSAGES;
const HOURS_MS = 4 * 3_600_000;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keytide-long-archive-'));
});
afterAll(async () => {
  await endChildren();
  await rm(folder, { recursive: true, force: true });
});

test.each(['export', 'verify', 'read'] as const)(
  'to %s an archive takes as much memory as for a short one',
  async (act) => {
    const argument: LongArchive = { act, folder, messages: MESSAGES, attachmentBytes: ATTACHMENT_BYTES };
    const child = startChild({ script: 'long-archive-main.ts', argument, nodeOptions: ['--expose-gc'] });
    const { seen, peakBytes, growthBytes } = await child.said('done', HOURS_MS);
    expect(seen).toBe(MESSAGES);
    expect(peakBytes).toBeLessThan(MOST_BYTES);
    expect(growthBytes).toBeLessThan(GROWTH_BYTES);
  },
  HOURS_MS,
);
