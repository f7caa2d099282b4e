import { link, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { lockFolder } from '../src/sql/folder-lock.ts';
import { identityOf } from '../src/sql/process-identity.ts';

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  return { ...real, link: vi.fn<typeof real.link>(real.link) };
});

test('a takeover that comes too late leaves the new owner alone', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'keytide-race-'));
  try {
    const path = join(folder, 'keytide.lock');
    await writeFile(path, JSON.stringify({ pid: process.pid, started: 'another start' }));
    const winner = `${JSON.stringify(await identityOf(process.ppid))}\n`;
    const real = vi.mocked(link).getMockImplementation() as typeof link;
    vi.mocked(link).mockImplementation(async (from, to) => {
      // Between our look at the dead owner and our guard, somebody else has taken over.
      if (String(to).endsWith('.takeover')) await writeFile(path, winner);
      return real(from, to);
    });
    await expect(lockFolder(folder)).rejects.toMatchObject({ code: 'data-folder-locked' });
    expect(await readFile(path, 'utf8')).toBe(winner);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
