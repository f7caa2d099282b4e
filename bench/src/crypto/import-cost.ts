import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { callInPage, launchChromium } from '../../../test/runtimes/chromium.ts';
import { bundle } from '../../../test/runtimes/bundle.ts';
import { runInHermes } from '../../../test/runtimes/hermes.ts';
import { contest, type Contestant } from '../contest.ts';
import { plainRow, type BenchOptions, type Row } from '../rows.ts';
import { build, sizeRows } from './build-size.ts';
import { HERMES } from './hermes.ts';
import type { PageImport } from './import-page.ts';

const FOLDER = fileURLToPath(new URL('../../', import.meta.url));
/** What is imported in a Node of its own, and what is awaited until it can be used. */
const IN_NODE: Readonly<Record<string, string>> = {
  'node build': `await import('@keytide/crypto-core'); await import('@keytide/crypto-core/node')`,
  'portable build': `await import('@keytide/crypto-core'); await import('@keytide/crypto-core/portable')`,
  'browser build':
    `await import('@keytide/crypto-core');` +
    `await (await import('@keytide/crypto-core/browser')).browserPrimitives()`,
  '@signalapp/libsignal-client': `await import('@signalapp/libsignal-client')`,
  '@matrix-org/olm': `await (await import('@matrix-org/olm')).default.init()`,
  '@matrix-org/matrix-sdk-crypto-wasm': `await (await import('@matrix-org/matrix-sdk-crypto-wasm')).initAsync()`,
  'ts-mls': `await import('ts-mls')`,
  'age-encryption': `await import('age-encryption')`,
};

/** What an app pays before it does anything: size, and time to import on each runtime. */
export async function benchImportCost({ quick }: BenchOptions): Promise<Row[]> {
  const portable = await build('import-portable.ts', 'browser', 'iife');
  const browser = await build('import-browser.ts', 'browser', 'esm');
  const node = await build('import-node.ts', 'node', 'esm');
  return [
    ...sizeRows('portable', portable),
    ...sizeRows('browser', browser),
    // It loads libsodium-wrappers, as installed, with the first short message.
    ...sizeRows('node (without libsodium-wrappers)', node),
    ...(await inNode(quick ? 3 : 11)),
    ...(await inChromium(browser, quick ? 3 : 11)),
    await inHermes(portable, quick ? 3 : 11),
  ];
}

/** A new process for each, timed inside, so that the start of Node is not in it. */
async function inNode(rounds: number): Promise<Row[]> {
  const taken: Record<string, number[]> = {};
  const contestants = Object.entries(IN_NODE).map(([name, work]): Contestant => {
    const samples: number[] = (taken[name] = []);
    const script = `const start = performance.now(); ${work}; console.log(performance.now() - start)`;
    return {
      name,
      async round(time) {
        const args = ['--input-type=module', '-e', script];
        const run = () => execFileSync(process.execPath, args, { cwd: FOLDER, encoding: 'utf8' });
        samples.push(Number(await time(run)));
      },
    };
  });
  // The contest gives the random order; the time that counts was printed.
  await contest(contestants, { rounds, warmUps: 0, now: () => performance.now() });
  return Object.entries(taken).map(([name, samples]) =>
    plainRow({ bench: 'crypto', work: `import: ${name}`, n: 1, unit: 'ms' }, samples),
  );
}

async function inChromium(code: string, rounds: number): Promise<Row[]> {
  const script = await bundle(new URL('import-page.ts', import.meta.url), 'esm');
  const browser = await launchChromium();
  try {
    const samples: PageImport[] = [];
    for (let round = 0; round < rounds; round += 1)
      samples.push(await callInPage<PageImport>(browser, script, { name: 'importModule', input: code }));
    const work = { bench: 'crypto', n: 1, unit: 'ms', runtime: `chromium ${browser.version()}` };
    return [
      plainRow(
        { ...work, work: 'import: browser build' },
        samples.map(({ imported }) => imported),
      ),
      plainRow(
        { ...work, work: 'import: browser build, libsodium started' },
        samples.map(({ started }) => started),
      ),
    ];
  } finally {
    await browser.close();
  }
}

/** Runs the module's code again and again in one VM, which compiles nothing at run time; parsing is not in it. */
async function inHermes(code: string, rounds: number): Promise<Row> {
  const script = `
    var taken = [];
    for (var round = 0; round < importRounds; round += 1) {
      var start = Date.now();
      (function () { ${code} })();
      taken.push(Date.now() - start);
    }
    print(JSON.stringify(taken));`;
  const printed = await runInHermes(script, { name: 'importRounds', value: rounds });
  const work = { bench: 'crypto', work: 'import: portable build', n: 1, unit: 'ms', runtime: HERMES };
  return plainRow(work, JSON.parse(printed) as number[]);
}
