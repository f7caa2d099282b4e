import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Browser } from 'playwright-core';
import { bundle } from './bundle.ts';
import type { SuiteReport } from './checks.ts';
import { callInPage, launchChromium } from './chromium.ts';
import { reportProblems } from './report-problems.ts';
import { readSuiteInput } from './suite-input.ts';

describe('the portable suite in headless Chromium', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());

  test('libsodium and plain JavaScript', async () => {
    const script = await bundle(new URL('./browser-entry.ts', import.meta.url), 'esm');
    const call = { name: 'runSuite', input: readSuiteInput() };
    const [libsodium, portable] = await callInPage<SuiteReport[]>(browser, script, call);
    expect(await reportProblems(libsodium, 'libsodium')).toEqual([]);
    expect(await reportProblems(portable, 'portable')).toEqual([]);
  });
});

test('a machine without Chromium is told what to install', async () => {
  await expect(launchChromium(['', '/nowhere/chromium'])).rejects.toThrow('apt-get install chromium');
});
