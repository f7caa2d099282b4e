import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromBase64Url, orgId } from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom } from '@keytide/crypto-core/node';
import { startRelay, type Relay } from '@keytide/server-relay';
import { type HostileRelay, hostileRelay, memoryDatabase, signLog } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EXIT } from '../src/exit-codes.ts';
import { runKeytide, type Finished } from './run-keytide.ts';

const seed = nodeRandom(32);
let folder: string;
let relay: Relay;
let hostile: HostileRelay;

function on(name: string, args: readonly string[]): Promise<Finished> {
  const env = { KEYTIDE_HOME: join(folder, name), KEYTIDE_PASSPHRASE: 'correct horse battery' };
  return runKeytide(args, { env });
}

/** The exit code of a command, and the last thing that it says to programs. */
async function json(name: string, args: readonly string[]) {
  const { code, stdout } = await on(name, ['--json', ...args]);
  // oxlint-disable-next-line no-explicit-any
  return { code, said: JSON.parse(stdout.trimEnd().split('\n').at(-1) as string) as any };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keytide-audit-'));
  // A relay without a file draws its key first of all.
  const draws = [seed];
  hostile = await hostileRelay({
    async target(publicUrl) {
      const random = (sizeBytes: number): Uint8Array => draws.pop()?.slice() ?? nodeRandom(sizeBytes);
      relay = await startRelay({ database: memoryDatabase(), port: 0, publicUrl, log: () => {}, random });
      return relay.url;
    },
  });
  await json('ada', ['org', 'create', '--relay', hostile.url, '--name', 'ada']);
  const { said } = await json('ada', ['invite']);
  await json('bo', ['join', said.link, '--name', 'bo']);
});

afterAll(async () => {
  await hostile?.close();
  await relay?.close();
  await rm(folder, { recursive: true, force: true });
});

test('nothing wrong: every entry about oneself, with who signed it, and exit code 0', async () => {
  const { code, said } = await json('bo', ['directory', 'audit']);
  expect(code).toBe(EXIT.ok);
  expect(said).toMatchObject({
    size: 3,
    entries: [{ index: 2, kind: 'join', signedBy: [{ handle: 'bo' }], invitedBy: { handle: 'ada' } }],
    alarms: [],
    relay: { lookups: 5, contradiction: null, checkpoint: { size: 3, note: expect.any(String) } },
  });
  const { stdout } = await on('bo', ['directory', 'audit']);
  expect(stdout).toMatch(/^2 +\S+ \S+ +joined +this device +ada [0-9a-f]{8}$/m);
});

test('a device that somebody else invited: exit code 9, until the person took note of it', async () => {
  const { said: invited } = await json('ada', ['device', 'invite', '--member', 'bo']);
  await json('ghost', ['join', invited.link]);
  const { code, stdout, stderr } = await on('bo', ['directory', 'audit']);
  expect(code).toBe(EXIT.alarm);
  expect(stdout).toMatch(/^4 .* foreign-device$/m);
  expect(stderr).toContain('ALARM: entry 4');
  expect(await json('bo', ['directory', 'audit', '--offline'])).toMatchObject({
    code: EXIT.alarm,
    said: { alarms: [4], relay: null },
  });
  expect((await on('bo', ['directory', 'audit', '--note'])).code).toBe(EXIT.ok);
  const after = await on('bo', ['directory', 'audit']);
  expect(after.code).toBe(EXIT.ok);
  expect(after.stdout).toMatch(/^4 .* foreign-device, noted$/m);
});

test('a copy of the device that somebody else uses: every command says so', async () => {
  await cp(join(folder, 'bo'), join(folder, 'copy of bo'), { recursive: true });
  expect((await json('copy of bo', ['device', 'invite'])).code).toBe(EXIT.ok);
  expect((await on('bo', ['members'])).stderr).toContain('ALARM: entry 5');
  const { code, said } = await json('bo', ['directory', 'audit']);
  expect([code, said.alarms]).toEqual([EXIT.alarm, [5]]);
  expect(said.entries.at(-1)).toMatchObject({ kind: 'invite-device', alarm: 'stolen-key' });
  expect((await on('bo', ['members'])).stderr).toContain('ALARM: entry 5');
  await json('bo', ['directory', 'audit', '--note']);
});

test('a relay that proves another map: exit code 7, and evidence that stands by itself', async () => {
  const relent = hostile.attack({
    async call(call, forward) {
      if (!call.path.includes('/directory/')) return await forward(call);
      const [org = ''] = /[0-9a-f]{64}/.exec(call.path) ?? [];
      const log = await forward({ ...call, path: `/v1/organisations/${org}/log?from=0` });
      const { entries } = log.body as { entries: string[] };
      const wires = entries.map((entry) => fromBase64Url(entry) as Uint8Array);
      const key = { primitives, signer: primitives.signer(seed), org: orgId(org) };
      const { note } = signLog(key, wires, nodeRandom(32));
      return { status: 200, body: { checkpoint: Buffer.from(note).toString(), lookup: 'AAAA' } };
    },
  });
  const file = join(folder, 'evidence');
  const without = await on('bo', ['directory', 'audit']);
  expect(without.code).toBe(EXIT.misbehaved);
  expect(without.stderr).toContain('--evidence');
  const { code, said } = await json('bo', ['directory', 'audit', '--evidence', file]);
  expect([code, said.relay.contradiction.code]).toEqual([EXIT.misbehaved, 'relay-forked']);
  relent();
  expect(await json('nobody', ['verify-evidence', file])).toMatchObject({
    code: EXIT.ok,
    said: { proved: 'wrong-map' },
  });
});
