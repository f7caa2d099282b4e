import { nodeRandom, openFileVault } from '@keytide/crypto-core/node';
import { uint32Bytes } from '@keytide/crypto-core';

/**
 * A process of its own for the tests that kill one: opens the vault at argv[2] and, given a count in
 * argv[3], writes batches until it is killed, and says each one when it is durable.
 */
const [path, first] = process.argv.slice(2);
const vault = await openFileVault({
  path: path as string,
  passphrase: 'p',
  create: true,
  random: nodeRandom,
  kdf: { memoryKiB: 8, passes: 1, parallelism: 1 },
});
process.stdout.write('open\n');
if (first === undefined) setInterval(() => null, 1000);
else
  for (let count = Number(first); ; count += 1) {
    const value = uint32Bytes(count);
    await vault.write([
      { name: 'left', value },
      { name: `bulk/${count % 5}`, value: nodeRandom(20_000) },
      { name: 'right', value },
    ]);
    process.stdout.write(`${count}\n`);
  }
