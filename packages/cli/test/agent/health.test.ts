import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { healthOf, metricsOf } from '../../src/agent/health.ts';
import { serveHealth } from '../../src/agent/health-server.ts';
import { logFile } from '../../src/agent/log-file.ts';
import { nextStep } from '../../src/agent/next-step.ts';
import { newState, openMemory } from '../../src/agent/state.ts';

const DAY_MS = 86_400_000;
const START_MS = Date.UTC(2030, 0, 1);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keytide-agent-health-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('late is who has had no success for two periods and an hour; a clock set back makes nobody late', () => {
  const state = newState(START_MS);
  const lateMs = START_MS + 2 * DAY_MS + 3_600_000;
  expect(healthOf(state, DAY_MS, lateMs).status).toBe('ok');
  expect(healthOf(state, DAY_MS, lateMs + 1).status).toBe('late');
  expect(healthOf({ ...state, failure: 'offline' }, DAY_MS, START_MS)).toMatchObject({
    ...{ status: 'failing', code: 'offline', lastSuccess: null, ageSeconds: 0 },
  });
  const done = { ...state, successMs: START_MS + 9 * DAY_MS };
  expect(healthOf(done, DAY_MS, START_MS)).toMatchObject({ status: 'ok', ageSeconds: 0 });
});

test('for each code of the guide there is something to do, in a sentence', async () => {
  const guide = await readFile(new URL('../../../../docs/guides/agent.md', import.meta.url), 'utf8');
  const table = guide.slice(
    guide.indexOf('| code | what is left'),
    guide.indexOf('To have a full one, of a service'),
  );
  const rows = table.split('\n').flatMap((row) => /^\|(.*?)\|/.exec(row)?.[1] ?? []);
  const codes = rows.flatMap((cell) =>
    [...cell.matchAll(/`([A-Za-z-]+)`/g)].map(([, code]) => code as string),
  );
  expect(codes.length).toBeGreaterThan(30);
  const unknown = nextStep('none of these');
  for (const code of codes) {
    expect(nextStep(code), code).not.toBe(unknown);
    expect(nextStep(code)).toMatch(/\.$/);
  }
});

test('the pages say it, and nothing else answers', async () => {
  let state = { ...newState(START_MS), failure: 'approval-needed' as string | null, sizeBytes: 9 };
  let nowMs = START_MS + 1000;
  const health = () => healthOf(state, DAY_MS, nowMs);
  const served = await serveHealth(
    { host: '127.0.0.1', port: 0 },
    { health, metrics: () => metricsOf(state, health()) },
  );
  const got = async (path: string, method = 'GET') => {
    const response = await fetch(`${served.url}${path}`, { method });
    return { status: response.status, text: await response.text() };
  };
  try {
    const { status, text } = await got('/healthz');
    expect(status).toBe(200);
    expect(JSON.parse(text)).toMatchObject({ status: 'failing', code: 'approval-needed', pending: 0 });
    const metrics = (await got('/metrics')).text;
    expect(metrics).toContain('keytide_agent_failing{code="approval-needed"} 1\n');
    expect(metrics).toContain('keytide_agent_archive_bytes 9\n');
    for (const line of metrics.trimEnd().split('\n'))
      expect(line).toMatch(
        /^(# (HELP|TYPE) keytide_agent_[a-z_]+ .+|keytide_agent_[a-z_]+(\{code="[a-zA-Z0-9-]+"\})? \d+(\.\d+)?)$/,
      );
    state = { ...state, failure: null };
    expect((await got('/metrics')).text).not.toContain('{');
    nowMs += 4 * DAY_MS;
    expect((await got('/healthz')).status).toBe(503);
    expect((await got('/healthz', 'POST')).status).toBe(404);
    expect((await got('/state')).status).toBe(404);
    const port = Number(new URL(served.url).port);
    await expect(
      serveHealth({ host: '127.0.0.1', port }, { health, metrics: () => '' }),
    ).rejects.toMatchObject({ code: 'usage' });
  } finally {
    await served.close();
  }
});

test('the log stays within its files, loses no line of the newest, and is for its owner alone', async () => {
  const path = join(folder, 'agent.log');
  const append = logFile({ path, maxBytes: 100, files: 3 });
  for (let line = 0; line < 60; line += 1) expect(append(`line ${String(line).padStart(4, '0')}`)).toBe(true);
  const names = (await readdir(folder)).toSorted();
  expect(names).toEqual(['agent.log', 'agent.log.1', 'agent.log.2']);
  let text = '';
  for (const name of ['agent.log.2', 'agent.log.1', 'agent.log']) {
    const { size, mode } = await stat(join(folder, name));
    expect(size).toBeLessThanOrEqual(100);
    if (process.platform !== 'win32') expect(mode & 0o777).toBe(0o600);
    text += await readFile(join(folder, name), 'utf8');
  }
  const kept = text.trimEnd().split('\n');
  expect(kept).toEqual(
    Array.from({ length: kept.length }, (_, at) => `line ${String(60 - kept.length + at).padStart(4, '0')}`),
  );
  const alone = logFile({ path: join(folder, 'one.log'), maxBytes: 30, files: 1 });
  for (let line = 0; line < 9; line += 1) alone(`line ${line}`);
  expect(await readFile(join(folder, 'one.log'), 'utf8')).toBe('line 8\n');
  expect(logFile({ path: join(folder, 'none', 'x.log'), maxBytes: 30, files: 1 })('lost')).toBe(false);
});

test('what is remembered is there after a reboot; what cannot be understood is as nothing', async () => {
  const path = join(folder, 'agent.json');
  const memory = await openMemory(path, START_MS);
  await memory.keep({ failure: 'offline', totalBytes: 7 });
  expect((await openMemory(path, 0)).state).toMatchObject({
    ...{ failure: 'offline', totalBytes: 7, sinceMs: START_MS },
  });
  await logFile({ path, maxBytes: 1, files: 1 })('{"version":1}');
  expect((await openMemory(path, 5)).state).toEqual(newState(5));
});
