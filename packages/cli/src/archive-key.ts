import type { Command } from 'commander';
import type { Run } from './context.ts';
import { deciding } from './deciding.ts';

/** The key that opens archives, and its holders. */
export function addArchiveKey(program: Command, run: Run): void {
  const key = program.command('archive-key').description('the key that opens archives, split among holders');
  deciding(dealing(key.command('make')))
    .description('make a key, split it among holders, and have everything sealed to it from now on')
    .option('--yes', 'do not ask whether it takes the place of the key that there is')
    .action((options) =>
      run(async (context) =>
        (await import('./commands/archive-key-make.ts')).makeArchiveKey(context, options),
      ),
    );
  withSet(key.command('drill'))
    .description('say which shares are good, and whether they give the key; keeps nothing, needs no relay')
    .action((options) =>
      run(async (context) =>
        (await import('./commands/archive-key-drill.ts')).drillArchiveKey(context, options),
      ),
    );
  withSet(key.command('combine'))
    .description('put the key together from enough shares, to open archives; needs no relay')
    .requiredOption('--out <file>', 'where it goes: an identity file of age; whoever has it reads everything')
    .action((options) =>
      run(async (context) =>
        (await import('./commands/archive-key-combine.ts')).combineArchiveKey(context, options),
      ),
    );
  dealing(sharing(key.command('reshare')))
    .description('split the same key anew: other holders, or another number of them; needs no relay')
    .action((options) =>
      run(async (context) =>
        (await import('./commands/archive-key-reshare.ts')).reshareArchiveKey(context, options),
      ),
    );
}

function dealing(command: Command): Command {
  return command
    .option('--name <name>', 'a holder; once for each', (name, before: string[] = []) => [...before, name])
    .requiredOption('--needed <number>', 'how many of them open an archive together, at least 2')
    .requiredOption('--out <folder>', 'a new folder, for the sheets of the holders and the set for everyone');
}

function sharing(command: Command): Command {
  return command
    .requiredOption('--set <file>', 'the set of the shares, archive-key.set')
    .option(
      '--share <file...>',
      'sheets, or files with shares as they are printed; - reads stdin. Left out: typed, hidden',
    );
}

function withSet(command: Command): Command {
  return sharing(command)
    .option('--no-device', 'without a device of the organisation: nothing tells then who dealt the set')
    .option('--fingerprint <digits>', 'with --no-device: of which key it must be, "Key" on the sheets');
}
