import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openWeeks } from './weeks.ts';

/** Sized by KEYTIDE_AGENT_DAYS: a week in CI. */
const DAYS = Number(process.env['KEYTIDE_AGENT_DAYS'] ?? 6);

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keytide-agent-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test(
  'through outages, kills and full disks all is archived, verified and told, and nothing told too early',
  async () => {
    const weeks = await openWeeks(folder, process.env['KEYTIDE_AGENT_SEED'] ?? 'b');
    await weeks.go(DAYS);
    const codes = new Set(weeks.events.flatMap((event) => (event.event === 'failed' ? [event.code] : [])));
    expect([...codes]).toEqual(
      expect.arrayContaining(['offline', 'destination-full', 'unsound', 'destination-gone']),
    );
    expect(weeks.kills).toBeGreaterThan(1);
    // But for what was said since the last period began.
    expect(weeks.toldThrough).toBeGreaterThanOrEqual(weeks.source.log.length - 4);
    await weeks.expectEverywhere(weeks.toldThrough);
  },
  10_000 * DAYS + 60_000,
);
