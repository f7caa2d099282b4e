import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Processes } from './keytide-process.ts';
import { stayOpen } from './stay-open.ts';
import { createCast, tellStory, type Cast } from './story.ts';

const PROJECT = fileURLToPath(new URL('../../../', import.meta.url));
const SAMPLE = fileURLToPath(new URL('../requests.csv', import.meta.url));
const HELP = `npm start -- [--once] [--requests FILE.csv] [--data FOLDER] [--keep]

  --once      end after the story
  --requests  import this file; columns lat,lng,title,reportedAt,township,address
  --data      where the story makes its own folder (default: keytide-data in the project)
  --keep      leave that folder there at the end, with the relay's log and the passphrases of both devices`;

const processes = new Processes();
const interrupted = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => interrupted.abort());

// The terminal may still be open for typing, which would keep the process.
process.exit(await main());

async function main(): Promise<number> {
  const options = optionsFrom(process.argv.slice(2));
  if (options === null) return 2;
  if (options.help) {
    console.log(HELP);
    return 0;
  }
  const name = `story-${new Date().toISOString().slice(0, 19).replaceAll(':', '-')}-${process.pid}`;
  const folder = join(options.data, name);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const cast = createCast(folder, processes);
  try {
    return await play(options, cast, folder);
  } finally {
    await processes.end();
    if (options.keep) await leaveNotes(cast, folder);
    else await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function play(options: Options, cast: Cast, folder: string): Promise<number> {
  const stop = new Promise<null>((end) => {
    interrupted.signal.addEventListener('abort', () => end(null));
  });
  let step = 0;
  const tell = (happened: string, relaySaw: string): void => {
    step += 1;
    console.log(`${String(step).padStart(2)}. ${happened} The relay saw: ${relaySaw}.`);
  };
  try {
    const telling = tellStory({ cast, requestsPath: options.requests, tell });
    telling.catch(() => {});
    if ((await Promise.race([telling, stop])) === null) return 130;
    if (options.once) return 0;
    await stayOpen({ ...cast, folder: pathToType(folder), until: stop });
    return 0;
  } catch (error) {
    // Ctrl-C in a terminal reaches the children too: then their end is no failure.
    if (interrupted.signal.aborted) return 130;
    console.error(`start: ${error instanceof Error ? error.message : 'the story failed'}`);
    if (process.env['KEYTIDE_DEBUG']) console.error(error);
    return 1;
  }
}

async function leaveNotes({ relay, ada, bob }: Cast, folder: string): Promise<void> {
  const passphrases = { ada: ada.passphrase, bob: bob.passphrase };
  await writeFile(join(folder, 'passphrases.json'), `${JSON.stringify(passphrases)}\n`, { mode: 0o600 });
  await writeFile(join(folder, 'relay.log'), relay.history.map(({ printed }) => printed).join(''));
  console.log(`Kept in ${folder}`);
}

interface Options {
  readonly once: boolean;
  readonly keep: boolean;
  readonly help: boolean;
  readonly requests: string;
  readonly data: string;
}

function optionsFrom(args: string[]): Options | null {
  try {
    const { values } = parseArgs({
      args,
      options: {
        once: { type: 'boolean', default: false },
        keep: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
        requests: { type: 'string', default: SAMPLE },
        data: { type: 'string', default: join(PROJECT, 'keytide-data') },
      },
    });
    // npm runs this in the project's folder; what the user typed is relative to where they are.
    const here = process.env['INIT_CWD'] ?? process.cwd();
    const requests = resolve(here, values.requests);
    if (!existsSync(requests)) throw new Error(`there is no file ${requests}`);
    return { ...values, requests, data: resolve(here, values.data) };
  } catch (error) {
    console.error(`start: ${(error as Error).message}\n${HELP}`);
    return null;
  }
}

/** Short where the commands are typed in the project's folder. */
function pathToType(folder: string): string {
  const path = relative(PROJECT, folder);
  return path.startsWith('..') ? folder : path;
}
