import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDatabase } from '../src/sql/open.ts';
import { parseConfig } from '../src/operate/config.ts';
import { examine } from '../src/operate/doctor.ts';
import type { Finding } from '../src/operate/finding.ts';
import { makeCertificate } from './certificate.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keytide-doctor-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function verdicts(
  file: Record<string, unknown>,
  nowMs = Date.now(),
): Promise<Record<string, Finding['verdict']>> {
  const findings: [string, Finding['verdict']][] = [];
  for await (const { check, verdict } of examine(parseConfig(file, {}), nowMs))
    findings.push([check, verdict]);
  return Object.fromEntries(findings);
}

const good = { publicUrl: 'https://relay.example' };

test('before the first start everything is well, and nothing is made', async () => {
  const dataFolder = join(folder, 'new');
  expect(await verdicts({ ...good, dataFolder })).toMatchObject({
    publicUrl: 'ok',
    tls: 'ok',
    management: 'ok',
    database: 'ok',
    'relay-key': 'ok',
  });
  await expect(chmod(dataFolder, 0o700)).rejects.toMatchObject({ code: 'ENOENT' });
});

test('what is exposed or will not work is found', async () => {
  const dataFolder = join(folder, 'bad');
  await mkdir(dataFolder);
  await writeFile(join(dataFolder, 'relay-key'), new Uint8Array(31), { mode: 0o600 });
  await writeFile(join(dataFolder, 'data-key'), new Uint8Array(32), { mode: 0o600 });
  await chmod(join(dataFolder, 'data-key'), 0o644);
  const [first, second] = [await makeCertificate(folder, 'one'), await makeCertificate(folder, 'two')];
  const found = await verdicts({
    dataFolder,
    host: '0.0.0.0',
    publicUrl: 'http://relay.example',
    managementHost: '0.0.0.0',
    tlsCertificateFile: first.certificateFile,
    tlsKeyFile: second.keyFile,
    limits: { sockets: 100_000_000 },
  });
  expect(found).toMatchObject({
    publicUrl: 'warn',
    management: 'warn',
    tls: 'fail',
    'relay-key': 'fail',
    'data-key': 'fail',
    files: 'warn',
  });
});

test('a database that does not answer fails, without its password', async () => {
  const databaseUrl = 'postgres://u:hunter2@127.0.0.1:1/d';
  const config = parseConfig({ ...good, databaseUrl, keyFile: join(folder, 'key') }, {});
  const findings: Finding[] = [];
  for await (const finding of examine(config, Date.now())) findings.push(finding);
  expect(findings).toContainEqual(expect.objectContaining({ check: 'database', verdict: 'fail' }));
  expect(JSON.stringify(findings)).not.toContain('hunter2');
});

test('what several relays need is looked at, without the password of Redis', async () => {
  const file = { ...good, databaseUrl: 'postgres://u@127.0.0.1:1/d', keyFile: join(folder, 'key'), nodes: 3 };
  const redisUrl = 'redis://:hunter2@127.0.0.1:1';
  const findings: Finding[] = [];
  for await (const finding of examine(parseConfig({ ...file, redisUrl }, {}), Date.now()))
    findings.push(finding);
  const found = Object.fromEntries(findings.map(({ check, verdict }) => [check, verdict]));
  expect(found).toMatchObject({ redis: 'warn', nodes: 'ok', blobFolder: 'warn' });
  expect(JSON.stringify(findings)).not.toContain('hunter2');
  expect(await verdicts({ ...file, redisUrl: 'env:KEYTIDE_TEST_NO_SUCH_REDIS' })).toMatchObject({
    redis: 'fail',
  });
  expect(await verdicts({ ...file, blobFolder: folder })).toMatchObject({ redis: 'ok', blobFolder: 'ok' });
});

test('a database with waiting migrations is fine; a newer one and a clock that is off are not', async () => {
  const dataFolder = join(folder, 'old');
  const database = await openDatabase({ kind: 'pglite', folder: dataFolder });
  await database.close();
  expect(await verdicts({ ...good, dataFolder })).toMatchObject({ database: 'ok', clock: 'ok' });
  expect(await verdicts({ ...good, dataFolder }, Date.now() - 60_000)).toMatchObject({ clock: 'warn' });
  const again = await openDatabase({ kind: 'pglite', folder: dataFolder });
  await again.query(
    `create table keytide_migrations (version int, name text, checksum text, applied_ms bigint)`,
  );
  await again.query(`insert into keytide_migrations values (9999, 'x', 'x', 0)`);
  await again.close();
  expect(await verdicts({ ...good, dataFolder })).toMatchObject({ database: 'fail' });
});
