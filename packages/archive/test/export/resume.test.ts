import { describe, expect, it } from 'vitest';
import { exportArchive } from '../../src/index.ts';
import { contentOf, optionsFor, said, someDays } from '../exporting.ts';
import { memoryDestination } from '../memory-destination.ts';

describe('an export that was stopped', () => {
  it('at any change of the place is what it would have been, once it has gone on', async () => {
    const source = await someDays();
    const whole = memoryDestination();
    let changes = 0;
    await exportArchive(
      optionsFor(
        source,
        memoryDestination(() => void (changes += 1)),
      ),
    );
    await exportArchive(optionsFor(source, whole));
    const expected = await contentOf(whole);
    expect(changes).toBeGreaterThan(15);
    for (let at = 1; at <= changes; at += 1) {
      let left = at;
      const destination = memoryDestination(() => {
        left -= 1;
        if (left === 0) throw new Error('killed');
      });
      await expect(exportArchive(optionsFor(source, destination))).rejects.toThrow('killed');
      const before = new Map(destination.files);
      // What was said meanwhile is for the next archive.
      const later = at === 3 ? await withMore() : source;
      const { signed } = await exportArchive(optionsFor(later, destination));
      expect(await contentOf(destination), `stopped at change ${at}`).toEqual(expected);
      expect(signed.manifest.groups[0]?.throughSeq).toBe(8);
      for (const [name, bytes] of before)
        if (/segments\/.*\.age$/.test(name) && before.has(name.replace(/(?:keys\.)?age$/, 'json')))
          expect(destination.files.get(name), 'a whole segment is not sealed anew').toEqual(bytes);
    }
  });

  it('is not gone on with by other options', async () => {
    const source = await someDays();
    let left = 4;
    const destination = memoryDestination(() => {
      left -= 1;
      if (left === 0) throw new Error('killed');
    });
    await expect(exportArchive(optionsFor(source, destination))).rejects.toThrow('killed');
    const filter = { collections: ['chat'] };
    await expect(exportArchive({ ...optionsFor(source, destination), filter })).rejects.toMatchObject({
      code: 'other-export',
    });
    await exportArchive(optionsFor(source, destination));
  });

  it('is not kept from its end by what a file manager leaves there', async () => {
    const source = await someDays();
    const destination = memoryDestination(() => void destination.files.set('.DS_Store', Uint8Array.of(1)));
    await exportArchive(optionsFor(source, destination));
    expect(destination.files.has('plan.json')).toBe(false);
    expect(destination.files.get('.DS_Store')).toEqual(Uint8Array.of(1));
  });

  it('by its caller leaves what is whole', async () => {
    const source = await someDays();
    const stopping = new AbortController();
    const destination = memoryDestination(() => stopping.abort());
    const options = { ...optionsFor(source, destination), signal: stopping.signal };
    await expect(exportArchive(options)).rejects.toMatchObject({ name: 'AbortError' });
    expect([...destination.files.keys()]).toContain('plan.json');
    await exportArchive(optionsFor(source, destination));
  });
});

async function withMore() {
  const source = await someDays();
  await source.day([said(0, 10, { text: 'meanwhile' })]);
  return source;
}
