import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { bundle } from './bundle.ts';
import { chromiumPath } from './chromium.ts';
import { tabsOf, type VaultTab } from './vault-pages.ts';

let profile: string;
let script: string;
let child: ChildProcess | null = null;
beforeAll(async () => {
  profile = await mkdtemp(join(tmpdir(), 'keytide-profile-'));
  script = await bundle(new URL('./vault-browser-entry.ts', import.meta.url), 'esm');
});
afterEach(() => killChromium());
afterAll(() => rm(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 }));

/** A Chromium process of our own on the profile, so that all of it can be killed. */
async function startChromium(): Promise<VaultTab> {
  const options = ['--headless=new', '--no-sandbox', '--disable-gpu', '--no-first-run'];
  const places = [`--user-data-dir=${profile}`, '--remote-debugging-port=0', 'about:blank'];
  child = spawn(chromiumPath(), [...options, ...places], {
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const address = await addressOf(child);
  const browser = await chromium.connectOverCDP(address);
  const [context] = browser.contexts();
  if (context === undefined) throw new Error('Chromium has no context');
  return (await tabsOf(context, script))();
}

async function addressOf({ stderr }: ChildProcess): Promise<string> {
  if (stderr !== null)
    for await (const line of createInterface({ input: stderr })) {
      const address = /DevTools listening on (ws:\S+)/.exec(line)?.[1];
      if (address !== undefined) return address;
    }
  throw new Error('Chromium did not start');
}

/** Kills it and all processes that it started. */
async function killChromium(): Promise<void> {
  const killed = child;
  child = null;
  if (killed?.pid === undefined) return;
  const exited = new Promise((resolve) => killed.once('exit', resolve));
  process.kill(-killed.pid, 'SIGKILL');
  await exited;
}

test('a browser that is killed while it writes keeps what it acknowledged, in whole batches', async () => {
  let last = 0;
  for (let round = 0; round < 4; round += 1) {
    const { page, call } = await startChromium();
    expect(await call.open({ name: 'vault', create: round === 0 })).toBeNull();
    const [left, right] = [await call.get('left'), await call.get('right')];
    expect(left).toBe(right);
    const found = left === null ? 0 : Number.parseInt(left, 16);
    expect([last, last + 1]).toContain(found);

    let enough: () => void = () => {};
    const several = new Promise<void>((resolve) => (enough = resolve));
    await page.exposeFunction('acknowledge', (count: number) => {
      last = count;
      if (count >= found + 5) enough();
    });
    void call.writeForever(found + 1).catch(() => null);
    await several;
    // Rounds end at other moments of a writing.
    await new Promise((resolve) => setTimeout(resolve, round * 4));
    await killChromium();
  }
  expect(last).toBeGreaterThanOrEqual(20);
});

test('nothing in the files of a profile shows a name or a value, before and after deletion', async () => {
  const { call } = await startChromium();
  const [name, value] = ['a name that must not show', 'a value that must not show'];
  expect(await call.open({ name: 'secret', create: true })).toBeNull();
  expect(await call.write({ [name]: Buffer.from(value).toString('hex') })).toBeNull();
  expect(await call.get(name)).toBe(Buffer.from(value).toString('hex'));
  expect(await showing([name, value])).toEqual([]);
  expect(await call.write({ [name]: null })).toBeNull();
  expect(await showing([name, value])).toEqual([]);
  // The search does find what is there.
  expect(await showing(['keytide/secret'])).not.toEqual([]);
});

/** The files of the profile that hold one of the texts, in UTF-8 or UTF-16. */
async function showing(texts: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  const forms = texts.flatMap((text) => [Buffer.from(text), Buffer.from(text, 'utf16le')]);
  // In LevelDB the names of databases are in UTF-16, high byte first.
  for (const text of texts) forms.push(Buffer.from(text, 'utf16le').swap16());
  for (const entry of await readdir(profile, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const bytes = await readFile(path).catch(() => Buffer.alloc(0));
    if (forms.some((form) => bytes.includes(form))) found.push(path);
  }
  return found;
}
