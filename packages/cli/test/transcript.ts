import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const PROGRAM = fileURLToPath(new URL('../bin/keytide.js', import.meta.url));
/** What the guides call the relay. */
const RELAY = 'http://127.0.0.1:8080';

/** What a guide shows of a terminal, and what comes out if its commands are run: alike but for what differs each time. */
export interface Played {
  readonly shown: string;
  readonly came: string;
}

/** All transcripts of a guide as one. */
export function transcriptOf(guide: string): string {
  return [...guide.matchAll(/^```console\n(.*?)^```$/gms)].map(([, text]) => text).join('');
}

/** Runs the commands of a transcript one after the other, each a process of its own. */
export async function play(transcript: string, folder: string, relayUrl: string): Promise<Played> {
  const commands = [...transcript.matchAll(/^\$ (.*)$/gm)].map((match) => match[1] as string);
  const script = commands.map(
    (command) => `printf '%s\\n' ${quoted(`$ ${command}`)}\n(exit $status)\n${command}\nstatus=$?\n`,
  );
  const text = ['status=0', `keytide() { ${quoted(process.execPath)} ${quoted(PROGRAM)} "$@"; }`, ...script];
  await writeFile(join(folder, 'script.sh'), text.join('\n').replaceAll(RELAY, relayUrl));
  const { stdout } = await promisify(execFile)('sh', ['-c', '. ./script.sh 2>&1'], {
    cwd: folder,
    env: { PATH: `${dirname(process.execPath)}:${process.env['PATH']}`, KEYTIDE_PASSPHRASE: 'correct horse' },
  });
  return { shown: comparable(transcript), came: comparable(stdout.replaceAll(relayUrl, RELAY)) };
}

/** Without what differs from run to run: random ids, times, numbers to compare, and the epoch, which midnight ends. */
function comparable(text: string): string {
  return text
    .replaceAll(/\b[0-9a-f]{64}\b/g, 'ID64')
    .replaceAll(/\b[0-9a-f]{32}\b/g, 'ID32')
    .replaceAll(/\b[0-9a-f]{8}\b/g, 'ID8')
    .replaceAll(/\b\d{5}(?: \d{5}){5}\b/g, 'NUMBER')
    .replaceAll(/of \d{4}-\d\d-\d\d:/g, 'of DATE:')
    .replaceAll(/until \d{4}-\d\d-\d\d \d\d:\d\d/g, 'until TIME')
    .replaceAll(/^(\d+ +)\d{4}-\d\d-\d\d \d\d:\d\d /gm, '$1TIME ')
    .replaceAll(/at size \d+$/gm, 'at size N')
    .replaceAll(/^(\d{4}-\d\d-\d\d )?\d\d:\d\d /gm, 'TIME ')
    .replaceAll(/^(epoch +)\d+$/gm, '$1EPOCH');
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
