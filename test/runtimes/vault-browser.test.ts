import { keyStoreChecks } from '@keytide/testkit/key-store';
import type { Browser, BrowserContext } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { bundle } from './bundle.ts';
import { launchChromium } from './chromium.ts';
import { tabsOf, type VaultTab } from './vault-pages.ts';

let browser: Browser;
let script: string;
let context: BrowserContext;
let newTab: () => Promise<VaultTab>;
beforeAll(async () => {
  browser = await launchChromium();
  script = await bundle(new URL('./vault-browser-entry.ts', import.meta.url), 'esm');
});
afterAll(() => browser?.close());
beforeEach(async () => {
  context = await browser.newContext();
  newTab = await tabsOf(context, script);
});
afterEach(() => context.close());

const vault = { name: 'vault', create: true };
const there = { name: 'vault', create: false };

test('the key store of a browser in headless Chromium', async () => {
  const { call } = await newTab();
  const report = await call.runChecks();
  expect(report.failed).toEqual([]);
  expect(report.passed).toEqual(keyStoreChecks.map(({ name }) => name));
});

describe('two tabs of one app', () => {
  test('both write, lose nothing of each other, and see deletions', async () => {
    const tabs = [await newTab(), await newTab()] as const;
    // Both at once: one of them makes the vault, and both have the same.
    expect(await Promise.all(tabs.map(({ call }) => call.open(vault)))).toEqual([null, null]);
    const many = (prefix: string) => ({ prefix, count: 40, sizeBytes: 500 });
    const [a, b] = tabs.map(({ call }) => call) as [VaultTab['call'], VaultTab['call']];
    expect(await Promise.all([a.writeMany(many('a/')), b.writeMany(many('b/'))])).toEqual([null, null]);
    for (const { call } of tabs) expect(await call.names('')).toHaveLength(80);
    expect(await a.get('b/7')).toBe(await b.get('b/7'));
    expect(await a.write({ 'b/7': null })).toBeNull();
    expect(await b.get('b/7')).toBeNull();
    expect(await b.names('b/')).toHaveLength(39);
  });

  test('of which one erases the vault: the other is told, and writes nothing', async () => {
    const [a, b] = [await newTab(), await newTab()];
    await a.call.open(vault);
    await a.call.write({ kept: '01' });
    await b.call.open(there);
    await a.call.close();
    await a.call.erase('vault');
    expect(await b.call.getCode('kept')).toBe('vault-missing');
    expect(await b.call.write({ late: '02' })).toBe('vault-missing');
    expect(await a.call.open(there)).toBe('vault-missing');
    expect(await a.call.open(vault)).toBeNull();
    expect(await b.call.write({ late: '02' })).toBe('vault-missing');
    expect(await a.call.names('')).toEqual([]);
    expect((await a.call.raw('vault')).hex).toHaveLength(2);
  });

  test('of which one is closed in the middle of writing leaves whole batches and no lock', async () => {
    const reader = await newTab();
    await reader.call.open(vault);
    let first = 1;
    for (let round = 0; round < 6; round += 1) {
      const writer = await newTab();
      let last = 0;
      let enough: () => void = () => {};
      const several = new Promise<void>((resolve) => (enough = resolve));
      await writer.page.exposeFunction('acknowledge', (count: number) => {
        last = count;
        if (count >= first + 3) enough();
      });
      await writer.call.open(there);
      const writing = writer.call.writeForever(first).catch(() => null);
      await several;
      // Rounds end at other moments of a writing.
      await new Promise((resolve) => setTimeout(resolve, round * 3));
      await writer.page.close({ runBeforeUnload: false });
      await writing;
      const [left, right] = [await reader.call.get('left'), await reader.call.get('right')];
      expect(left).toBe(right);
      const found = Number.parseInt(left ?? '', 16);
      expect([last, last + 1]).toContain(found);
      expect(await reader.call.write({ after: '01' })).toBeNull();
      first = found + 1;
    }
  });
});

describe('a vault in a browser', () => {
  test('is unreadable to whoever copies the records, and its keys cannot be taken out', async () => {
    const { call } = await newTab();
    await call.open(vault);
    await call.write({ 'a-name': '5a'.repeat(40) });
    const { hex, keys } = await call.raw('vault');
    expect(keys).toEqual([{ extractable: false, attempt: 'InvalidAccessError' }]);
    const plain = ['5a'.repeat(20), Buffer.from('a-name').toString('hex')];
    for (const text of plain) expect(hex.filter((record) => record.includes(text))).toEqual([]);
  });

  test('has no key any more for what was deleted', async () => {
    const { call } = await newTab();
    await call.open(vault);
    await call.write({ deleted: '01' });
    const copied = (await call.raw('vault')).hex.find((hex) => hex.length > 64) as string;
    await call.write({ deleted: null });
    await call.close();
    await call.putBack({ name: 'vault', hex: copied });
    expect(await call.open(vault)).toBe('vault-damaged');
  });

  test('of which the browser lost a part is damaged, and never silently a new one', async () => {
    const { call } = await newTab();
    for (const record of ['key', 'vault', 'writing']) {
      const name = `without ${record}`;
      await call.open({ name, create: true });
      await call.write({ kept: '01' });
      await call.close();
      await call.lose({ name, record });
      for (const create of [false, true]) expect(await call.open({ name, create })).toBe('vault-damaged');
      await call.erase(name);
      expect(await call.open({ name, create: false })).toBe('vault-missing');
      expect(await call.open({ name, create: true })).toBeNull();
    }
  });

  test('altered anywhere is damaged', async () => {
    const { call } = await newTab();
    await call.open(vault);
    await call.write({ kept: '01' });
    await call.close();
    const size = ((await call.raw('vault')).hex.find((hex) => hex.length > 64) as string).length / 2;
    for (let at = 0; at < size; at += at === 6 ? 1 : 5) {
      await call.flip({ name: 'vault', at });
      expect(await call.open(vault)).toBe(at === 7 ? 'unsupported-version' : 'vault-damaged');
      await call.flip({ name: 'vault', at });
    }
    expect(await call.open(there)).toBeNull();
  });

  test('with a passphrase and an unlock share needs both, and only where they were given', async () => {
    const { call } = await newTab();
    const both = { passphrase: 'correct horse', unlockShareHex: '07'.repeat(32) };
    await call.open({ ...vault, ...both });
    await call.write({ kept: '01' });
    await call.close();
    const codeWith = async (change: Partial<typeof both>) => call.open({ ...there, ...change });
    expect(await codeWith({})).toBe('unlock-share-needed');
    expect(await codeWith({ passphrase: 'correct horse' })).toBe('unlock-share-needed');
    expect(await codeWith({ unlockShareHex: both.unlockShareHex })).toBe('wrong-passphrase');
    expect(await codeWith({ ...both, passphrase: 'other' })).toBe('wrong-passphrase');
    expect(await codeWith({ ...both, unlockShareHex: '08'.repeat(32) })).toBe('wrong-passphrase');
    expect(await codeWith(both)).toBeNull();
    expect(await call.get('kept')).toBe('01');
    await call.open({ name: 'plain', create: true });
    const superfluous = { name: 'plain', create: false };
    expect(await call.open({ ...superfluous, passphrase: 'x' })).toBe('wrong-passphrase');
    expect(await call.open({ ...superfluous, unlockShareHex: '07' })).toBe('unlock-share-needed');
  });

  test('opens with the default cost of a passphrase', async () => {
    const { call } = await newTab();
    expect(await call.open({ ...vault, passphrase: 'p', atFullCost: true })).toBeNull();
    expect(await call.open({ ...there, passphrase: 'p' })).toBeNull();
  });

  test('asks to be kept, and writes past the caches of the system', async () => {
    const { call } = await newTab();
    const asked = await call.watch(vault);
    expect(asked.toSorted()).toEqual(['persist', 'readonly default', 'readwrite strict']);
  });

  test('without room refuses a batch whole and stays as it was', async () => {
    const { call, page } = await newTab();
    const protocol = await context.newCDPSession(page);
    const origin = 'https://keytide.example';
    // Before the first writing: the browser asks for the room only now and then.
    await protocol.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 200_000 });
    await call.open(vault);
    await call.write({ kept: '01' });
    const before = await call.raw('vault');
    expect(await call.write({ kept: null, more: 'ab'.repeat(1_000_000) })).toBe('storage-full');
    expect(await call.get('kept')).toBe('01');
    expect(await call.raw('vault')).toEqual(before);
    await protocol.send('Storage.overrideQuotaForOrigin', { origin });
    expect(await call.write({ more: 'ab'.repeat(1_000_000) })).toBeNull();
    expect(await call.names('')).toEqual(['kept', 'more']);
  });

  test('of which a record cannot be written stays as it was, whichever it is', async () => {
    const { call } = await newTab();
    await call.open(vault);
    await call.write({ kept: '01' });
    const before = await call.raw('vault');
    for (const [at, how, error] of [
      [0, 'throws', 'the browser fails'],
      [1, 'throws', 'the browser fails'],
      [2, 'throws', 'the browser fails'],
      [2, 'aborts', 'AbortError'],
      // The put after it finds that all is over.
      [0, 'aborts', 'TransactionInactiveError'],
    ] as const) {
      expect(await call.writeFailing({ at, how }, { kept: '02', more: '03' })).toMatch(error);
      expect(await call.get('more')).toBeNull();
      expect(await call.raw('vault')).toEqual(before);
    }
    expect(await call.write({ kept: '04' })).toBeNull();
    await call.close();
    expect(await call.open(there)).toBeNull();
    expect(await call.get('kept')).toBe('04');
  });

  test('is refused on a page that is not secure', async () => {
    const insecure = await browser.newContext();
    const { call } = await (await tabsOf(insecure, script, 'http://keytide.example'))();
    expect(await call.open(vault)).toBe('unsupported-runtime');
    await insecure.close();
  });
});
