import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { expect, it } from 'vitest';
import { exportArchive, readArchiveStats, verifyArchive } from '../src/index.ts';
import { archiveKey, optionsFor, said, someDays } from './exporting.ts';
import { copyOf, nameOf } from './forging.ts';
import { memoryDestination } from './memory-destination.ts';
import { worldSource } from './world-source.ts';

it('is of the archive that was verified, whatever the place shows by then', async () => {
  const archive = memoryDestination();
  await exportArchive(optionsFor(await someDays(), archive));
  const { verdict, archive: found } = await verifyArchive({ primitives, files: archive });
  expect(verdict).toBe('sound');
  const verified = { primitives, manifest: found?.manifest as NonNullable<typeof found>['manifest'] };
  const stats = await readArchiveStats(archive);
  expect(await readArchiveStats(archive, verified)).toEqual(stats);

  const shown = copyOf(archive);
  const summary = nameOf(shown, '8.json');
  const text = Buffer.from(shown.files.get(summary) as Uint8Array).toString();
  shown.files.set(summary, Buffer.from(text.replace('ask-an-admin', 'no-such-epoch')));
  expect((await readArchiveStats(shown)).groups[0]?.unreadable).toEqual({ 'no-such-epoch': 1 });
  await expect(readArchiveStats(shown, verified)).rejects.toMatchObject({ code: 'damaged' });

  const other = memoryDestination();
  const source = worldSource('another', 3, archiveKey.publicKey);
  await source.day([said(0, 1, { text: 'hello' })]);
  await exportArchive({ ...optionsFor(source, other), recipients: [] });
  await expect(readArchiveStats(other, verified)).rejects.toMatchObject({ code: 'damaged' });
});
