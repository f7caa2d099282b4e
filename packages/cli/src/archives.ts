import { InvalidArgumentError, Option, type Command } from 'commander';
import type { Run } from './context.ts';
import { FORMATS, type Format } from './choices.ts';

/** Taking everything out, and what was taken out. */
export function addArchives(program: Command, run: Run): void {
  program
    .command('export')
    .description('write an archive of everything that this device has; run again after a stop, it goes on')
    .argument('<place>', 'where it goes: a folder, made when missing, FILE.zip, or s3://BUCKET/PLACE')
    .option('--since <folder>', 'the archive before: only what came since')
    .option(
      '--recipient <key>',
      'who can open it besides the archive key: age1pq…, or a file of such lines; again for more',
      several,
      [],
    )
    .option('--set <file>', 'archive-key.set: a copy goes along, so that shares alone open the archive')
    .option('--member <name>', 'only what this member wrote; again for more', several, [])
    .option('--collection <name>', 'only this collection; again for more', several, [])
    .option('--from <date>', 'only from then on, such as 2026-03-01, UTC', parseTime)
    .option('--until <date>', 'only before then', parseTime)
    .option('--lock-until <date>', 'in a bucket with object lock: nobody deletes it before then', parseTime)
    .addOption(
      new Option('--lock-mode <mode>', 'with --lock-until: whether those who may can lift it')
        .choices(['governance', 'compliance'])
        .default('governance'),
    )
    .option('--offline', 'what this device has, without asking the relay')
    .option(
      '--acknowledge',
      'tell the relay that it may forget, also what lacked keys, and attachments that could not be had',
    )
    .option('--no-acknowledge', 'do not tell the relay that it may forget at its time')
    .action((place, options) =>
      run(async (context) => (await import('./commands/export.ts')).exportArchiveTo(context, place, options)),
    );
  program
    .command('verify')
    .description('say whether an archive is whole and true; needs no device and no relay, and no key')
    .argument('<place>', 'the archive: a folder, a ZIP file, or s3://BUCKET/PLACE')
    .option('--quick', 'only its structure and signatures: reads no large file')
    .option('--sample <share>', 'with --key: opens so much of what is sealed, such as 5%', parseShare)
    .option('--full', 'with --key: opens all that is sealed, as it does without --sample')
    .option(
      '--key <file>',
      'the archive key as an identity of age, as `keytide archive-key combine` writes it',
    )
    .option('--previous <folder>', 'the archive that it is to go on from')
    .option('--org <id>', 'the organisation that it is to be of, as `keytide status` shows it')
    .action((place, options) =>
      run(async (context) => (await import('./commands/verify.ts')).verifyArchiveAt(context, place, options)),
    );
  opening(program.command('open'))
    .description('write what an archive says in the clear, after verifying it; needs no device and no relay')
    .requiredOption('--key <file>', 'an identity of age, as `keytide archive-key combine` writes it')
    .action((place, options) =>
      run(async (context) => (await import('./commands/open.ts')).openWithKey(context, place, options)),
    );
  opening(program.command('recover'))
    .description('as open, by enough shares of the archive key; the key itself is written nowhere')
    .option('--set <file>', 'the set of the shares, archive-key.set, where the archive has no copy')
    .option('--share <file...>', 'sheets, or files with shares; - reads stdin. Left out: typed, hidden')
    .action((place, options) =>
      run(async (context) => (await import('./commands/recover.ts')).recoverArchive(context, place, options)),
    );
  program
    .command('approve-export')
    .description('sign an archive that another has made, where the policy asks for more admins; verifies it')
    .argument('<place>', 'the archive: a folder, s3://BUCKET/PLACE, or with --out its ZIP file')
    .option('--out <file>', 'write the approval to a file, for whoever has the archive')
    .option('--add <file...>', 'put approvals that others wrote with --out into the archive; takes no device')
    .option('--offline', 'compare it with what this device has, without asking the relay')
    .option('--yes', 'do not ask')
    .action((place, options) =>
      run(async (context) =>
        (await import('./commands/approve-export.ts')).approveExport(context, place, options),
      ),
    );
  program
    .command('agent')
    .description('make archives on schedule, unattended: exports, copies, verifies, tells the relay')
    .requiredOption('--config <file>', 'its configuration, JSON')
    .option('--once', 'one round now, whatever the schedule says, such as from cron')
    .option(
      '--full',
      'the next archive has everything, not only what came since the one before, and is due at once; without --once this is noted and nothing else done',
    )
    .action((options) =>
      run(async (context) => (await import('./commands/agent.ts')).keepArchiving(context, options)),
    );
  program
    .command('ledger')
    .description('what is due for export when, what was exported, and by whose word the rest is gone')
    .argument('[archive...]', 'archives, or their ZIP files: each is verified first')
    .option('--quick', 'of the archives only their structure and signatures: reads no large file')
    .option('--offline', 'what this device has, without asking the relay')
    .option('--all', 'also what is deleted, and in order')
    .option('--html <file>', 'write it as a page, to print or to keep; a new file')
    .option('--csv <file>', 'write it as a table; a new file')
    .action((paths, options) =>
      run(async (context) => (await import('./commands/ledger.ts')).showLedger(context, paths, options)),
    );
  program
    .command('stats')
    .description('what is in an archive, by its own word; needs no key, no device and no relay')
    .argument('<place>', 'the archive: a folder, a ZIP file, or s3://BUCKET/PLACE')
    .action((place) =>
      run(async (context) => (await import('./commands/stats.ts')).showArchiveStats(context, place)),
    );
}

/** What of an archive is opened, and in what forms. */
function opening(command: Command): Command {
  return command
    .argument('<place>', 'the archive: a folder, a ZIP file, or s3://BUCKET/PLACE')
    .requiredOption('--to <folder>', 'a new folder; what goes there is plaintext')
    .option(
      '--format <format>',
      `${FORMATS.join(', ')}; again for more. Left out: html and jsonl`,
      formats,
      [],
    )
    .option('--member <name>', 'only what this member wrote; again for more', several, [])
    .option('--collection <name>', 'only this collection; again for more', several, [])
    .option('--from <date>', 'only from then on, such as 2026-03-01, UTC', parseTime)
    .option('--until <date>', 'only before then', parseTime)
    .option('--quick', 'verify only its structure and signatures before')
    .option('--unsound', 'open what can be read of an archive that is not sound')
    .option('--org <id>', 'the organisation that it is to be of, as `keytide status` showed it');
}

function formats(value: string, before: readonly Format[]): readonly Format[] {
  const format = FORMATS.find((known) => known === value);
  if (format === undefined) throw new InvalidArgumentError(`Use one of ${FORMATS.join(', ')}.`);
  return [...before, format];
}

function several(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

function parseShare(text: string): number {
  const percent = /^\d{1,3}(\.\d{1,3})?%$/.test(text) ? Number(text.slice(0, -1)) : 0;
  if (percent <= 0 || percent > 100) throw new InvalidArgumentError('Use a share such as 5%.');
  return percent / 100;
}

function parseTime(text: string): number {
  const ms = /^\d{4}-\d\d-\d\d(?:T.*Z)?$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms))
    throw new InvalidArgumentError('Use a date such as 2026-03-01, or 2026-03-01T12:00Z.');
  return ms;
}
