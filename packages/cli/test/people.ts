import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startRelay } from '@keytide/server-relay';
import { memoryDatabase } from '@keytide/testkit';
import { runKeytide } from './run-keytide.ts';

/** People with a home each, in a folder of the test's own, and their relay. */
export async function openPeople() {
  const folder = await mkdtemp(join(tmpdir(), 'keytide-people-'));
  const relay = await startRelay({ database: memoryDatabase(), port: 0, log: () => {} });
  return {
    folder,
    relay,
    /** Runs a command as somebody: its exit code, and the last that it said to programs on either stream. */
    async on(name: string, args: readonly string[], stdin = '', more: Readonly<Record<string, string>> = {}) {
      const env = { KEYTIDE_HOME: join(folder, name), KEYTIDE_PASSPHRASE: 'correct horse battery', ...more };
      const { code, stdout, stderr } = await runKeytide(['--json', ...args], { env, stdin });
      // oxlint-disable-next-line no-explicit-any
      const parsed = (text: string): any => JSON.parse(text.trimEnd().split('\n').at(-1) || 'null');
      return { code, said: parsed(stdout), failed: parsed(stderr) };
    },
    async close() {
      await relay.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
