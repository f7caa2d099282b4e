import { Option, type Command } from 'commander';
import type { Run } from './context.ts';

/** Anonymous numbers about requests. */
export function addAggregates(program: Command, run: Run): void {
  const aggregates = program.command('aggregates').description('anonymous numbers about the requests');
  aggregates
    .command('make')
    .description('count the requests of a period that is over, as a file declares; nobody else sees it')
    .argument('<declaration.json>', 'the period, what is counted by what, and from how many on it is told')
    .option('--archive <folder...>', 'of archives, the oldest first, in place of what this device has')
    .option('--key <file>', 'with --archive: the archive key as an identity of age')
    .option('--publish', 'for good: enter it in the membership log, and show it to all members and the relay')
    .option(
      '--propose <file>',
      'where exports take several admins: write it to a file for them to approve, and the numbers to <file>.json',
    )
    .option('--yes', 'with --publish: do not ask')
    .option('--offline', 'by what this device knows already')
    .option('--view <name>', 'the table of this view only')
    .option('--by <field...>', 'with --view: by these dimensions only')
    .option('--csv <file>', 'write the table as CSV')
    .option('--svg <file>', 'write the table as a chart')
    .addOption(
      new Option('--chart <kind>', 'with --svg: how it is drawn')
        .choices(['bars', 'columns', 'line'])
        .default('bars'),
    )
    .action((path, options) =>
      run(async (context) =>
        (await import('./commands/aggregates-make.ts')).makeAggregates(context, path, options),
      ),
    );
  aggregates
    .command('list')
    .description('what is published; with --json the numbers as well')
    .option('--offline', 'the entries that this device has, without the numbers')
    .action((options) =>
      run(async (context) =>
        (await import('./commands/aggregates-list.ts')).listAggregates(context, options),
      ),
    );
}
