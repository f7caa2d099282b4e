import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { addAccess } from './access.ts';
import { addAdministration, addPeople } from './administration.ts';
import { addAggregates } from './aggregates.ts';
import { addArchiveKey } from './archive-key.ts';
import { addArchives } from './archives.ts';
import { REQUEST_COLUMNS } from './choices.ts';
import type { Context, Run, Work } from './context.ts';
import { EXIT, EXIT_MEANINGS, type ExitCode } from './exit-codes.ts';
import { createOutput } from './output.ts';
import { hiddenPrompt } from './prompt.ts';

/** The options that every command takes. */
interface GlobalOptions {
  readonly home?: string;
  readonly json?: true;
  readonly timeout: number;
  readonly passphraseFd?: number;
}

/** The whole command line; parsing it runs the command and hands its exit code to `finish`. */
export function createProgram(signal: AbortSignal, finish: (exitCode: ExitCode) => void): Command {
  const program = globalOptions(new Command('keytide'));
  const run = async (work: Work): Promise<void> => {
    finish((await work(contextOf(program.opts<GlobalOptions>(), signal))) ?? EXIT.ok);
  };
  addRelay(program, run);
  addOrganisation(program, run);
  addPeople(program, run);
  addAdministration(program, run);
  addAccess(program, run);
  addArchiveKey(program, run);
  addConversation(program, run);
  addRequests(program, run);
  addAggregates(program, run);
  addArchives(program, run);
  program
    .command('status')
    .description('where this device stands; also sends what waits')
    .action(() => run(async (context) => (await import('./commands/status.ts')).showStatus(context)));
  return program;
}

function addRelay(program: Command, run: Run): void {
  program
    .command('relay')
    .description('run a relay: it orders, stores and forwards what it cannot read')
    .option('--data <folder>', 'where the embedded database is', './keytide-data')
    .option(
      '--database <url>',
      'a PostgreSQL database instead; better given as KEYTIDE_DATABASE, out of sight of others',
    )
    .option('--key-file <path>', "with --database: the file of the relay's key, made at the first start")
    .option('--host <address>', 'listen on this address', '127.0.0.1')
    .option('--port <number>', 'listen on this port; 0 takes a free one', parsePort, 8080)
    .option('--public-url <url>', 'how devices reach it, when that is another address')
    .option(
      '--origin <origin...>',
      'origins of web pages that may use it, such as https://app.example; default: none',
    )
    .action((options) =>
      run(async (context) => {
        // The server and its database are half of all the code: only this command loads them.
        const { runRelay } = await import('./commands/relay.ts');
        await runRelay(context, options);
      }),
    );
}

function addOrganisation(program: Command, run: Run): void {
  const org = program.command('org').description('organisations');
  org
    .command('recovery-key')
    .description('make a key that can put a new admin in, should every admin be lost')
    .argument('<file>', 'where its secret half goes; the public half is printed')
    .action((file) =>
      run(async (context) => (await import('./commands/recovery-key.ts')).makeRecoveryKey(context, file)),
    );
  org
    .command('recover')
    .description('come in as a new admin, by the recovery key of the policy, when every admin is lost')
    .requiredOption('--relay <url>', 'the relay it lives on')
    .requiredOption('--org <id>', 'the organisation, as `keytide status` of any member shows it')
    .requiredOption('--name <handle>', 'the name that others see, and the relay too')
    .requiredOption('--seed-file <file>', 'the secret half of the recovery key; - reads it from stdin')
    .option('--remove <id...>', 'members who go at the same time, as `keytide members --json` shows them', [])
    .option('--next-key <digits>', 'the recovery key from now on, as `keytide org recovery-key` printed it')
    .option(
      '--checkpoint <file>',
      'what `keytide directory checkpoint` printed for any member, not to be shown less',
    )
    .action((options) =>
      run(async (context) => (await import('./commands/org-recover.ts')).recoverOrg(context, options)),
    );
  org
    .command('create')
    .description('make an organisation, with this device as its first admin')
    .requiredOption('--relay <url>', 'the relay it lives on')
    .requiredOption('--name <handle>', 'the name that others see, and the relay too')
    .action((options) =>
      run(async (context) => (await import('./commands/org-create.ts')).createOrg(context, options)),
    );
}

function addConversation(program: Command, run: Run): void {
  program
    .command('send')
    .description('send one message to the chat; waits until the relay has it')
    .argument('<text...>', 'the text, or - to read it from stdin')
    .option('--offline-ok', 'when the relay is out of reach, keep it for later')
    .action((words, options) =>
      run(async (context) => (await import('./commands/send.ts')).send(context, words, options)),
    );
  program
    .command('chat')
    .description('talk: shows what came before and what comes, sends each line that is typed')
    .option('--history <count>', 'how many earlier messages to show', parseCount, 50)
    .action((options) => run(async (context) => (await import('./commands/chat.ts')).chat(context, options)));
}

function addRequests(program: Command, run: Run): void {
  const requests = program.command('requests').description('requests for help');
  requests
    .command('import')
    .description(`import a CSV file with the columns ${REQUEST_COLUMNS.join(',')}`)
    .argument('<file.csv>', 'the file; UTF-8, first line names the columns in any order')
    .action((path) =>
      run(async (context) => (await import('./commands/requests-import.ts')).importRequests(context, path)),
    );
  requests
    .command('list')
    .description('all requests as they stand')
    .option('--offline', 'what this device knows already')
    .action((options) =>
      run(async (context) => (await import('./commands/requests-list.ts')).listRequests(context, options)),
    );
  requests
    .command('edit')
    .description('change fields of one request')
    .argument('<id>', 'its id, or at least 4 digits of its beginning')
    .argument('<field=value...>', 'such as status=done, or - to read one a line from stdin')
    .action((id, assignments) =>
      run(async (context) =>
        (await import('./commands/requests-edit.ts')).editRequest(context, id, assignments),
      ),
    );
}

function globalOptions(program: Command): Command {
  return program
    .description('End-to-end encrypted messaging for people in the field, at a terminal.')
    .version(VERSION)
    .option('--home <folder>', 'the folder of this device (default: KEYTIDE_HOME, or ~/.keytide)')
    .option('--json', 'one JSON object a line, for programs')
    .option('--timeout <seconds>', 'how long to wait for a relay that says nothing', parseSeconds, 15)
    .option('--passphrase-fd <number>', 'read the passphrase from this file descriptor', parseCount)
    .addHelpText('after', AFTER_HELP)
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ outputError: () => {} })
    .showSuggestionAfterError()
    .exitOverride();
}

function contextOf(options: GlobalOptions, signal: AbortSignal): Context {
  const { stdout, stderr, env } = process;
  return {
    home: resolve(options.home ?? env['KEYTIDE_HOME'] ?? join(homedir(), '.keytide')),
    timeoutMs: options.timeout * 1000,
    output: createOutput({ json: options.json ?? false, stdout, stderr }),
    passphrase: { fd: options.passphraseFd ?? null, env, findPrompt: () => hiddenPrompt(signal) },
    signal,
  };
}

function parsePort(text: string): number {
  const port = parseCount(text);
  if (port > 65_535) throw new InvalidArgumentError('A port is 0 to 65535');
  return port;
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (!(seconds > 0 && seconds <= 86_400)) throw new InvalidArgumentError('Use a number of seconds above 0.');
  return seconds;
}

function parseCount(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('Use a whole number.');
  return Number(text);
}

const VERSION = '0.1.0';

const AFTER_HELP = `
The passphrase of a device is asked for, or read from --passphrase-fd or the variable
KEYTIDE_PASSPHRASE. It is never an argument, which others on the machine could see.

Exit codes:
${EXIT_MEANINGS.map(([code, meaning]) => `  ${String(code).padEnd(4)} ${meaning}`).join('\n')}
`;
