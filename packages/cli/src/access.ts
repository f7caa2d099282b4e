import type { Command } from 'commander';
import type { Run } from './context.ts';

/** What devices cannot read, and who lets them. */
export function addAccess(program: Command, run: Run): void {
  const access = program.command('access').description('keys of what was written before a device came');
  access
    .command('request')
    .description('ask the admins for what this device may read and cannot')
    .action(() => run(async (context) => (await import('./commands/access.ts')).requestAccess(context)));
  access
    .command('list')
    .description('what this device asks for, and for admins what others do')
    .action(() => run(async (context) => (await import('./commands/access.ts')).listAccess(context)));
  access
    .command('approve')
    .description('give a device the keys that it asks for; asks first')
    .argument('<id>', 'its id, or at least 8 digits of its beginning')
    .option('--yes', 'do not ask')
    .action((id, options) =>
      run(async (context) => (await import('./commands/access.ts')).approveAccess(context, id, options)),
    );
  access
    .command('refuse')
    .description('tell a device no')
    .argument('<id>', 'its id, or at least 8 digits of its beginning')
    .argument('<reason...>', 'why, for its person; nobody else can read it')
    .action((id, words) =>
      run(async (context) => (await import('./commands/access.ts')).refuseAccess(context, id, words)),
    );
}
