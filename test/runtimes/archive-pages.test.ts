import { htmlPages, type OpenedAttachments, type OpenedEntry } from '@keytide/archive/formats';
import type { NamedAttachment } from '@keytide/archive';
import { recordMerge } from '@keytide/client/export';
import { deviceId, encodeCbor, groupId, memberId, type CborValue } from '@keytide/crypto-core';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { launchChromium } from './chromium.ts';

const DAY_MS = 86_400_000;
const START_MS = Date.UTC(2026, 0, 1, 8);
const HOSTILE = [
  `<script>globalThis.hit = 1</script>`,
  `</style></title></textarea><img src=x onerror="globalThis.hit=2">`,
  `"><svg onload=globalThis.hit=3>`,
  `' onmouseover='globalThis.hit=4' x='`,
  `javascript:globalThis.hit=5`,
  `<a href="javascript:globalThis.hit=6">x</a><base href="//evil.example/"><meta http-equiv=refresh content="0;url=//evil.example">`,
  `<link rel=stylesheet href=//evil.example/a.css><style>*{display:none}</style>]]><!--`,
];
const blobOf = (digit: string): string => digit.repeat(64);
const page: NamedAttachment = { blob: blobOf('a'), descriptor: Uint8Array.of(1), sizeBytes: 44 };
const photo: NamedAttachment = { blob: blobOf('b'), descriptor: Uint8Array.of(1), sizeBytes: 4_404_019 };
const gone: NamedAttachment = { blob: blobOf('c'), descriptor: Uint8Array.of(1), sizeBytes: 4 };
const attachments: OpenedAttachments = {
  missing: ({ blob }) => (blob === gone.blob ? 'attachment-gone' : null),
  async *read() {
    yield Buffer.from('<!doctype html><script>globalThis.hit=7</script>');
  },
};

let seq = 0;
function entry(
  name: string,
  content: CborValue,
  more: { invalid?: string; named?: readonly NamedAttachment[] } = {},
): OpenedEntry {
  seq += 1;
  return {
    ...{ group: groupId(new Uint8Array(32).fill(1)), name, endMs: null },
    entry: {
      ...{ kind: 'message', seq, envelope: new Uint8Array(500), epoch: 1, role: 'member', counter: seq },
      ...{
        sender: deviceId(new Uint8Array(32)),
        member: memberId(new Uint8Array(16)),
        channel: new Uint8Array(16),
      },
      ...{ payload: encodeCbor(content), invalid: more.invalid ?? null, attachments: more.named ?? [] },
    },
  };
}

function world(): OpenedEntry[] {
  seq = 0;
  const record = 'a1b2c3d4'.repeat(8);
  const file = ({ blob, sizeBytes }: NamedAttachment, name: string): CborValue => ({
    ...{ blob, descriptor: 'AQ', sizeBytes, name },
  });
  return [
    entry('Ada Okoye', [
      1,
      0,
      'chat',
      'north bank',
      START_MS,
      0,
      { text: 'The bridge at the mill is closed.\nGo round by the school.' },
    ]),
    entry(
      'Jørgen',
      [
        1,
        0,
        'chat',
        'north bank',
        START_MS + 65_000,
        0,
        { text: 'مرحبا، في الطريق', photo: file(photo, 'bridge at noon.jpg'), page: file(page, 'evil.html') },
      ],
      { named: [photo, page] },
    ),
    entry('Ada Okoye', [
      1,
      1,
      'requests',
      record,
      START_MS + 120_000,
      0,
      { need: 'water', people: 12, status: 'open', at: [48.2, 16.4], checked: true, by: null },
    ]),
    {
      ...entry('', null),
      name: null,
      entry: { kind: 'unreadable', seq, envelope: new Uint8Array(9), epoch: 1, code: 'ask-an-admin' },
    },
    entry('Jørgen', [1, 2, 'requests', record, START_MS + DAY_MS, 0, { status: 'done' }]),
    entry('Jørgen', [1, 0, 'chat', '', START_MS + DAY_MS + 1, 0, { text: 4 }], { invalid: 'schema' }),
    entry('Ada Okoye', [1, 3, 'requests', record, START_MS + DAY_MS + 2, 0, {}]),
    entry(
      'Ada Okoye',
      [1, 0, 'chat', '', START_MS + DAY_MS + 3, 0, { text: 'and', old: file(gone, 'gone.pdf') }],
      { named: [gone] },
    ),
    ...HOSTILE.map((hostile) =>
      entry(
        hostile,
        [
          1,
          0,
          hostile,
          hostile,
          START_MS + 2 * DAY_MS,
          0,
          { text: hostile, [hostile]: [hostile, { [hostile]: file(page, hostile) }] },
        ],
        { named: [page], invalid: hostile },
      ),
    ),
    ...HOSTILE.map((hostile, index) =>
      entry(hostile, [
        ...[1, 1, hostile, `${index}`.repeat(32) + '0'.repeat(32), START_MS + 2 * DAY_MS, 0],
        { text: hostile, [hostile]: [hostile, { [hostile]: hostile }] },
      ]),
    ),
    entry(HOSTILE[0] as string, HOSTILE[0] as string),
  ];
}

describe('an archive as pages, in headless Chromium', () => {
  let browser: Browser;
  let folder: string;
  let index: string;
  const wrong: string[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'keytide-pages-'));
    const entries = world();
    for await (const { name, content } of htmlPages(() => entries, {
      title: `Harbour rescue ${HOSTILE[1]}`,
      attachments,
      merge: recordMerge({}),
    })) {
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await writeFile(join(folder, name), content);
    }
    index = pathToFileURL(join(folder, 'index.html')).href;
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser?.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function open(url: string): Promise<Page> {
    const tab = await browser.newPage();
    tab.on('console', (message) => wrong.push(message.text()));
    tab.on('pageerror', (error) => wrong.push(String(error)));
    tab.on('dialog', (dialog) => wrong.push(dialog.message()));
    tab.on('request', (request) => {
      if (!request.url().startsWith('file:')) wrong.push(request.url());
    });
    await tab.goto(url, { waitUntil: 'load' });
    return tab;
  }
  const hitOf = (tab: Page): Promise<unknown> => tab.evaluate('globalThis.hit ?? null');

  test('are read by people, and run and load nothing of what is in them', async () => {
    const tab = await open(index);
    expect(await tab.title()).toBe(`Harbour rescue ${HOSTILE[1]}`);
    await tab.click('text=Page 1');
    expect(await tab.locator('h2').allTextContents()).toEqual([
      'Thursday 1 January 2026 (UTC)',
      'Friday 2 January 2026 (UTC)',
      'Saturday 3 January 2026 (UTC)',
    ]);
    expect(await tab.locator('article').count()).toBe(9 + 2 * HOSTILE.length);
    expect(await tab.locator('article .text').first().textContent()).toContain('\nGo round');
    const paper = 'getComputedStyle(document.body).backgroundColor';
    await tab.emulateMedia({ colorScheme: 'light' });
    const light = await tab.evaluate(paper);
    await tab.emulateMedia({ colorScheme: 'dark' });
    expect([light, await tab.evaluate(paper)]).toEqual(['rgb(246, 247, 249)', 'rgb(20, 24, 29)']);
    await tab.emulateMedia({ media: 'print' });
    expect(await tab.locator('nav').first().isVisible()).toBe(false);
    expect(
      await tab.locator('script, svg, img, iframe, base, link, [onmouseover], [onerror], [onload]').count(),
    ).toBe(0);
    for (const text of HOSTILE) expect(await tab.getByText(text, { exact: true }).count()).toBeGreaterThan(0);
    expect([await hitOf(tab), wrong]).toEqual([null, []]);
    await tab.close();
  });

  test('records as they stand are pages of the same kind, on which each change is found', async () => {
    const tab = await open(index);
    await tab.click('text=Records 1 to 8');
    expect(await tab.locator('article').count()).toBe(1 + HOSTILE.length);
    expect(await tab.locator('article').first().textContent()).toContain('This record was removed.');
    for (const text of HOSTILE) expect(await tab.getByText(text, { exact: true }).count()).toBeGreaterThan(0);
    expect(
      await tab.locator('script, svg, img, iframe, base, link, [onmouseover], [onerror], [onload]').count(),
    ).toBe(0);
    const links = (await tab.evaluate('[...document.links].map((link) => link.href)')) as string[];
    expect(links.filter((link) => !existsSync(fileURLToPath(link.split('#')[0] as string)))).toEqual([]);
    await tab.locator('article').first().getByText('entry 5').click();
    expect(await tab.locator('article:target').textContent()).toContain('changed');
    await tab.locator('article:target').getByText('The record as it stands').click();
    expect(await tab.locator('article:target').textContent()).toContain('This record was removed.');
    expect([await hitOf(tab), wrong]).toEqual([null, []]);
    if (process.env['KEYTIDE_SHOT_RECORDS'] !== undefined)
      await tab.screenshot({ path: process.env['KEYTIDE_SHOT_RECORDS'], fullPage: true });
    await tab.close();
  });

  test('have only links that lead to what is there, and no attachment runs', async () => {
    const tab = await open(index);
    await tab.click('text=Page 1');
    const links = (await tab.evaluate('[...document.links].map((link) => link.href)')) as string[];
    expect(links.filter((link) => !existsSync(fileURLToPath(link.split('#')[0] as string)))).toEqual([]);
    expect(links.every((link) => link.startsWith(index.replace('index.html', '')))).toBe(true);
    const names = links
      .filter((link) => link.includes('attachments'))
      .map((link) => link.slice(link.lastIndexOf('/') + 1));
    expect(new Set(names)).toEqual(new Set([`${photo.blob}.jpg`, `${page.blob}.bin`]));
    await tab.locator('a.attachment', { hasText: 'evil.html' }).click();
    expect([await hitOf(tab), wrong, tab.url()]).toEqual([
      null,
      [],
      expect.stringContaining('pages/000001.html'),
    ]);
    if (process.env['KEYTIDE_SHOT'] !== undefined)
      await tab.screenshot({ path: process.env['KEYTIDE_SHOT'], fullPage: true });
    await tab.close();
  });

  test('text as it came would have run', async () => {
    const bare = join(folder, 'bare.html');
    await writeFile(bare, `<!doctype html>${HOSTILE[0]}`);
    const tab = await open(pathToFileURL(bare).href);
    expect(await hitOf(tab)).not.toBeNull();
    await tab.close();
  });
});
