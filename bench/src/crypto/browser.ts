import { bundle } from '../../../test/runtimes/bundle.ts';
import { callInPage, launchChromium } from '../../../test/runtimes/chromium.ts';
import type { Samples } from '../contest.ts';
import { contestRows, type BenchOptions, type Row } from '../rows.ts';
import type { BrowserInput } from './browser-entry.ts';
import { handOver } from './hand-over.ts';

const [MESSAGES, SENDERS] = [1_000, 10];

/** The browser build and the portable build in headless Chromium, next to what its WebCrypto would need. */
export async function benchBrowser({ quick }: BenchOptions): Promise<Row[]> {
  const script = await bundle(new URL('browser-entry.ts', import.meta.url), 'esm');
  const browser = await launchChromium();
  try {
    const given = await handOver(MESSAGES, SENDERS);
    const input: BrowserInput = { given, senders: SENDERS, rounds: quick ? 3 : 15 };
    const samples = await callInPage<Samples>(browser, script, { name: 'runBench', input });
    const work = {
      bench: 'crypto',
      work: 'open a backlog of 1,000 × 1 KB',
      n: MESSAGES,
      unit: 'µs/message',
      runtime: `chromium ${browser.version()}`,
    };
    return contestRows(work, samples, { ours: 'keytide', valueOf: (ms) => (ms * 1_000) / MESSAGES });
  } finally {
    await browser.close();
  }
}
