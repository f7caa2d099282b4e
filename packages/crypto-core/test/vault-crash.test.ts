import { spawn, type ChildProcess } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { CryptoError, type KeyStore } from '@keytide/crypto-core';
import { nodeRandom, openFileVault } from '@keytide/crypto-core/node';
import { codeOfAsync } from './code-of.ts';
import { seededRandom } from './seeded-random.ts';
import { QUICK_KDF, vaultFolder } from './vault-folder.ts';

const nextPath = await vaultFolder();
const script = fileURLToPath(new URL('vault-writer.ts', import.meta.url));
const children = new Set<ChildProcess>();
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
});

/** Starts a writer; `lines` are what it says. */
function startWriter(path: string, first?: number) {
  const args = ['--conditions=keytide-source', '--no-warnings', script, path];
  const child = spawn(process.execPath, first === undefined ? args : [...args, String(first)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.add(child);
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  void exited.then(() => children.delete(child));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return { child, lines, exited };
}

const open = (path: string): Promise<KeyStore> =>
  openFileVault({ path, passphrase: 'p', create: false, random: nodeRandom, kdf: QUICK_KDF });

const openCode = (path: string) =>
  codeOfAsync(async () => {
    const vault = await open(path);
    await vault.close();
  });

describe('file vault and SIGKILL', () => {
  test('at random moments: whole batches only, nothing acknowledged is lost, the lock is taken over', async () => {
    const path = nextPath();
    const seed = process.env['KEYTIDE_SEED'] ?? 'the year 2030';
    console.log(`KEYTIDE_SEED=${seed}`);
    const random = seededRandom(seed);
    let next = 0;
    for (let round = 0; round < 12; round += 1) {
      const { child, lines, exited } = startWriter(path, next);
      expect((await lines.next()).value).toBe('open');
      let acknowledged = next - 1;
      const [wait] = random(1) as unknown as [number];
      const timer = setTimeout(() => child.kill('SIGKILL'), wait / 4);
      for (let line = await lines.next(); !line.done; line = await lines.next())
        acknowledged = Number(line.value);
      await exited;
      clearTimeout(timer);

      const vault = await open(path);
      const [left, right] = [await vault.get('left'), await vault.get('right')];
      expect(left).toEqual(right);
      const kept = left === null ? -1 : new DataView(left.buffer).getUint32(0);
      expect(kept).toBeGreaterThanOrEqual(acknowledged);
      // One batch may be on disk whose acknowledgement did not get out.
      expect(kept).toBeLessThanOrEqual(acknowledged + 1);
      await vault.close();
      next = kept + 1;
    }
    expect(next).toBeGreaterThan(0);
  });

  test('a second process is told who holds the vault', async () => {
    const path = nextPath();
    const holder = startWriter(path);
    await holder.lines.next();
    const refusal = await open(path).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(CryptoError);
    expect((refusal as CryptoError).code).toBe('vault-locked');
    expect((refusal as CryptoError).message).toContain(String(holder.child.pid));
    holder.child.kill('SIGKILL');
    await holder.exited;
    expect(await openCode(path)).toBeNull();
  });

  test('one process cannot open it twice', async () => {
    const path = nextPath();
    const options = { path, passphrase: 'p', create: true, random: nodeRandom, kdf: QUICK_KDF };
    const vault = await openFileVault(options);
    expect(await openCode(path)).toBe('vault-locked');
    await vault.close();
    expect(await openCode(path)).toBeNull();
  });

  test('of many that open it at once over a dead lock, one gets it', async () => {
    const path = nextPath();
    const dead = startWriter(path);
    await dead.lines.next();
    dead.child.kill('SIGKILL');
    await dead.exited;
    const openings = await Promise.allSettled(Array.from({ length: 8 }, () => open(path)));
    const vaults = openings.flatMap((opening) => (opening.status === 'fulfilled' ? [opening.value] : []));
    const refusals = openings.flatMap((opening) => (opening.status === 'rejected' ? [opening.reason] : []));
    expect(refusals.map((error: CryptoError) => error.code)).toEqual(refusals.map(() => 'vault-locked'));
    // Whatever the race gave, one of them at most can write.
    const writes = await Promise.allSettled(
      vaults.map((vault, index) => vault.write([{ name: 'winner', value: Uint8Array.of(index) }])),
    );
    expect(writes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const vault of vaults) await vault.close();
  });

  test('a process number that was given to another process does not keep the vault locked', async () => {
    const path = nextPath();
    const options = { path, passphrase: 'p', create: true, random: nodeRandom, kdf: QUICK_KDF };
    await (await openFileVault(options)).close();
    const held = { pid: process.ppid, start: 'another boot:1', token: 'old' };
    await writeFile(`${path}.lock`, JSON.stringify(held));
    expect(await openCode(path)).toBeNull();
    await writeFile(`${path}.lock`, 'half a lo');
    expect(await openCode(path)).toBeNull();
  });

  test('a holder whose lock was taken away does not write', async () => {
    const path = nextPath();
    const options = { path, passphrase: 'p', create: true, random: nodeRandom, kdf: QUICK_KDF };
    const vault = await openFileVault(options);
    const before = await readFile(path);
    const other = { pid: process.pid, start: '', token: 'another' };
    await writeFile(`${path}.lock`, JSON.stringify(other));
    expect(await codeOfAsync(() => vault.write([{ name: 'a', value: Uint8Array.of(1) }]))).toBe(
      'vault-locked',
    );
    await vault.close();
    expect(await readFile(path)).toEqual(before);
    expect(JSON.parse(await readFile(`${path}.lock`, 'utf8'))).toEqual(other);
  });
});
