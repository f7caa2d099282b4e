import { expect, test } from 'vitest';
import { argon2id as inBrowsers } from '../src/browser/argon2id.ts';
import { argon2id as inNode } from '../src/node/argon2id.ts';
import { filled } from './spec-world.ts';

test('Argon2id of browsers is that of Node', async () => {
  const salt = filled(0x5a, 16);
  for (const kdf of [
    { memoryKiB: 8, passes: 1, parallelism: 1 },
    { memoryKiB: 256, passes: 3, parallelism: 1 },
    { memoryKiB: 64, passes: 2, parallelism: 4 },
  ])
    for (const passphrase of ['', 'correct horse', 'caf\u00e9 \u{1f30a}'])
      expect(await inBrowsers(passphrase, salt, kdf)).toEqual(
        new Uint8Array(await inNode(passphrase, salt, kdf)),
      );
});
