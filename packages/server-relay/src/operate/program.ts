import { deviceId, orgId, type DeviceId, type OrgId } from '@keytide/crypto-core';
import { Command, InvalidArgumentError } from 'commander';
import { nodePrimitives } from '@keytide/crypto-core/node';
import { migrate, readMigrations } from '../sql/migrate.ts';
import { openDatabase } from '../sql/open.ts';
import { killSessions } from '../kill.ts';
import type { SessionsToEnd } from '../session-store.ts';
import { withAddresses } from './addresses.ts';
import { readConfig } from './config.ts';
import { relayOptionsOf } from './config-options.ts';
import type { Config } from './config-schema.ts';
import { examine } from './doctor.ts';
import { runBackUp, runRestore, type RestoreChoice } from './backups.ts';
import { runMoveBlobs } from './move-blobs.ts';
import { beginTimeline } from './new-timeline.ts';
import { rotateKeys } from './rotate-keys.ts';
import { serve } from './serve.ts';
import { readStats } from './stats.ts';

type Work = (config: Config) => Promise<number>;

/** The whole command line; parsing it runs the command and hands its exit code to `finish`. */
export function createProgram(finish: (exitCode: number) => void): Command {
  const program = new Command('keytide-relay')
    .description('Runs a Keytide relay as a service. docs/guides/operating-a-relay.md has every key.')
    .option('--config <file>', 'a JSON file; each key also as a variable KEYTIDE_RELAY_…, which wins')
    .exitOverride();
  /** With the configuration as it is written, which says where secrets are. */
  const runAsWritten = async (work: Work): Promise<void> => {
    finish(await work(await readConfig(program.opts<{ config?: string }>().config, process.env)));
  };
  const run = (work: Work): Promise<void> =>
    runAsWritten(async (config) => work(await withAddresses(config, ['databaseUrl'], process.env)));
  program
    .command('serve')
    .description('run the relay until SIGTERM; its log is JSON lines on stdout')
    .action(() => runAsWritten(serve));
  program
    .command('migrate')
    .description('bring the database up to this version; serve does so too when it starts')
    .action(() => run(runMigrations));
  program
    .command('doctor')
    .description('look for what would keep the relay from running well; changes nothing')
    .option('--json', 'one JSON object a line')
    .action(({ json }: { json?: true }) => runAsWritten((config) => doctor(config, json ?? false)));
  program
    .command('rotate-keys')
    .description(
      "wrap the keys of organisations' data by the first of wrappingKeys; may be broken off and repeated",
    )
    .action(() => run((config) => rotateKeys(config, process.env, print)));
  const kill = program
    .command('kill')
    .description('end sessions, so that who is meant has to log in again by its key');
  const killing = (named: string, which: SessionsToEnd): Promise<void> =>
    run(async (config) => {
      const sessions = await killSessions(relayOptionsOf(config).database, which);
      print({ event: 'killed', of: named, sessions });
      return 0;
    });
  kill
    .command('device <organisation> <device>')
    .description('those of one device, by the ids in hex')
    .action((org: string, device: string) => killing('device', devicesMeant(org, device)));
  kill
    .command('organisation <organisation>')
    .description('all of an organisation, also of its invites and its recovery key')
    .action((org: string) => killing('organisation', { of: 'organisation', org: orgMeant(org) }));
  kill
    .command('relay')
    .description('all that there are')
    .action(() => killing('relay', { of: 'relay' }));
  program
    .command('backup')
    .description('make a backup; the folder keeps all that were made, and one keys file for them')
    .requiredOption('--to <folder>', 'where the backups of this relay are')
    .action(({ to }: { to: string }) => run((config) => runBackUp(config, to, print)));
  program
    .command('restore')
    .description('put a backup back, while no relay runs: another timeline, and everybody logs in again')
    .requiredOption('--from <folder>', 'where the backups of this relay are')
    .option('--generation <name>', 'which one; the newest by default')
    .option('--replace', 'also where there are organisations: they are gone then')
    .action((chosen: RestoreChoice) => run((config) => runRestore(config, chosen, print)));
  program
    .command('move-blobs')
    .description(
      'move attachments from files into s3Bucket, once every relay has it; may be broken off and repeated',
    )
    .option('--from <folder>', 'where the files are; by default where this configuration would have them')
    .action((chosen: { from?: string }) => run((config) => runMoveBlobs(config, chosen, print)));
  program
    .command('new-timeline')
    .description(
      'after putting a database back by any other means than restore, and before the start: devices compare, and everybody logs in again',
    )
    .action(() =>
      run(async (config) => {
        await beginTimeline(relayOptionsOf(config).database, Date.now());
        print({ event: 'new-timeline' });
        return 0;
      }),
    );
  program
    .command('stats')
    .description('how much there is in the database, as one JSON object')
    .action(() => run(stats));
  return program;
}

function devicesMeant(org: string, device: string): SessionsToEnd {
  return { of: 'devices', org: orgMeant(org), devices: [idMeant(deviceId, device)], but: null };
}

const orgMeant = (text: string): OrgId => idMeant(orgId, text);

/** @throws InvalidArgumentError unless it is an id: 64 hex digits */
function idMeant<T extends OrgId | DeviceId>(idOf: (hex: string) => T, text: string): T {
  if (!/^[0-9a-f]{64}$/.test(text))
    throw new InvalidArgumentError('an id has 64 hex digits, in small letters');
  return idOf(text);
}

async function runMigrations(config: Config): Promise<number> {
  const database = await openDatabase(relayOptionsOf(config).database);
  try {
    const applied = await migrate(database, nodePrimitives, await readMigrations(), Date.now());
    print({ event: 'migrated', applied: applied.map(({ name }) => name) });
    return 0;
  } finally {
    await database.close();
  }
}

async function doctor(config: Config, isJson: boolean): Promise<number> {
  let exitCode = 0;
  for await (const finding of examine(config, Date.now())) {
    if (finding.verdict === 'fail') exitCode = 1;
    const { verdict, check, says } = finding;
    if (isJson) print(finding);
    else process.stdout.write(`${verdict.padEnd(4)}  ${check.padEnd(10)}  ${says}\n`);
  }
  return exitCode;
}

async function stats(config: Config): Promise<number> {
  print(await readStats(relayOptionsOf(config).database));
  return 0;
}

function print(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
