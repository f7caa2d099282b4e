import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readPassphrase, type PassphraseSources } from '../src/passphrase.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keytide-passphrase-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function sources(given: Partial<PassphraseSources>, typed: readonly string[] = []): PassphraseSources {
  const answers = [...typed];
  const ask = async (): Promise<string> => answers.shift() as string;
  return { fd: null, env: {}, findPrompt: () => (typed.length === 0 ? null : ask), ...given };
}

function withFile<T>(content: string | Uint8Array, use: (fd: number) => T): T {
  const path = join(folder, 'passphrase');
  writeFileSync(path, content);
  return use(openSync(path, 'r'));
}

describe('from a person', () => {
  test('is asked for once to unlock', async () => {
    expect(await readPassphrase(sources({}, ['short']), 'unlock')).toBe('short');
  });

  test('is typed twice for a new device', async () => {
    expect(await readPassphrase(sources({}, ['long enough', 'long enough']), 'create')).toBe('long enough');
    await expect(readPassphrase(sources({}, ['long enough', 'long enougH']), 'create')).rejects.toMatchObject(
      {
        code: 'passphrases-differ',
        exitCode: 2,
      },
    );
  });

  test('of fewer than 8 characters is refused for a new device', async () => {
    await expect(readPassphrase(sources({}, ['1234567', '1234567']), 'create')).rejects.toMatchObject({
      code: 'passphrase-too-short',
    });
    // Seven letters with an accent each are fourteen code units, and still seven characters.
    const accented = 'e\u0301'.repeat(7);
    await expect(readPassphrase(sources({}, [accented, accented]), 'create')).rejects.toMatchObject({
      code: 'passphrase-too-short',
    });
  });

  test('without a person there is none', async () => {
    await expect(readPassphrase(sources({}), 'unlock')).rejects.toMatchObject({
      code: 'no-passphrase',
      exitCode: 2,
    });
  });
});

describe('from the environment', () => {
  test('is taken out of it', async () => {
    const env: Record<string, string | undefined> = { KEYTIDE_PASSPHRASE: 'from the variable' };
    expect(await readPassphrase(sources({ env }), 'create')).toBe('from the variable');
    expect('KEYTIDE_PASSPHRASE' in env).toBe(false);
  });

  test('must be long enough too', async () => {
    const env = { KEYTIDE_PASSPHRASE: 'short' };
    await expect(readPassphrase(sources({ env }), 'create')).rejects.toMatchObject({
      code: 'passphrase-too-short',
    });
  });
});

describe('from a file descriptor', () => {
  test('is its first line, and what follows stays there', async () => {
    await withFile('correct horse\r\nthe rest', async (fd) => {
      const env = { KEYTIDE_PASSPHRASE: 'not this one' };
      expect(await readPassphrase(sources({ fd, env }), 'create')).toBe('correct horse');
      const rest = new Uint8Array(100);
      expect(new TextDecoder().decode(rest.subarray(0, readSync(fd, rest)))).toBe('the rest');
      closeSync(fd);
    });
  });

  test.each([
    ['a line over 1024 bytes', 'x'.repeat(1025)],
    ['not UTF-8', Uint8Array.of(0xff, 0xfe, 0x0a)],
  ])('%s is refused', async (_, content) => {
    await withFile(content, async (fd) => {
      await expect(readPassphrase(sources({ fd }), 'unlock')).rejects.toMatchObject({
        code: 'no-passphrase',
      });
      closeSync(fd);
    });
  });

  test('that is not open is refused', async () => {
    const fd = withFile('x', (opened) => {
      closeSync(opened);
      return opened;
    });
    await expect(readPassphrase(sources({ fd: fd + 1000 }), 'unlock')).rejects.toMatchObject({
      code: 'no-passphrase',
    });
  });
});
