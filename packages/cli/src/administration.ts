import { Argument, Option, type Command } from 'commander';
import { ROLES, WIPE_TARGETS } from './choices.ts';
import type { Run } from './context.ts';
import { deciding } from './deciding.ts';
import { parseDuration } from './duration.ts';

/** Who comes in, with which devices. */
export function addPeople(program: Command, run: Run): void {
  const invites = deciding(sharing(program.command('invite')))
    .description('make a link with which one person can join, once')
    .addOption(new Option('--role <role>', 'what they will be').choices(ROLES).default('member'))
    .action((options) =>
      run(async (context) => (await import('./commands/invite.ts')).invite(context, options)),
    );
  invites
    .command('list')
    .description('invites that nobody has used')
    .action(() => run(async (context) => (await import('./commands/invite.ts')).listInvites(context)));
  invites
    .command('revoke')
    .description('take an invite back')
    .argument('<id>', 'its id, or at least 8 digits of its beginning')
    .action((id) => run(async (context) => (await import('./commands/invite.ts')).revokeInvite(context, id)));
  program
    .command('join')
    .description('join an organisation by an invite link, or with another device')
    .argument(
      '<link>',
      'the link in quotes; it is a secret until used, so better - to read it from stdin, out of the shell history',
    )
    .option('--name <handle>', 'the name that others see, and the relay too; not for another device')
    .action((link, options) =>
      run(async (context) => (await import('./commands/join.ts')).joinOrg(context, link, options)),
    );
  program
    .command('members')
    .description('who is in the organisation, with their devices')
    .option('--offline', 'what this device knows already')
    .action((options) =>
      run(async (context) => (await import('./commands/members.ts')).listMembers(context, options)),
    );
  program
    .command('compare')
    .description('show the number that two people compare in person')
    .argument('<name>', 'as `keytide members` shows it')
    .option('--same-as <digits>', 'the number that they see: takes note of their devices when it is the same')
    .action((name, options) =>
      run(async (context) => (await import('./commands/compare.ts')).compareMember(context, name, options)),
    );
  addDevices(program.command('device').description('devices of members'), run);
}

function addDevices(devices: Command, run: Run): void {
  deciding(sharing(devices.command('invite')))
    .description('make a link with which another device of yours can join, once')
    .option('--member <name>', 'a device of somebody else; for admins')
    .action((options) =>
      run(async (context) => (await import('./commands/device.ts')).inviteDevice(context, options)),
    );
  devices
    .command('list')
    .description('your devices, or those of somebody else, with those that were ended')
    .argument('[name]', 'as `keytide members` shows it')
    .option('--offline', 'what this device knows already')
    .action((name, options) =>
      run(async (context) => (await import('./commands/device.ts')).listDevices(context, name, options)),
    );
  devices
    .command('revoke')
    .description('end a device for good: one of yours, or as an admin anybody’s')
    .argument('<id>', 'its id, or at least 8 digits of its beginning')
    .option('--yes', 'do not ask')
    .action((id, options) =>
      run(async (context) => (await import('./commands/device.ts')).revokeDevice(context, id, options)),
    );
}

/** What the organisation decides. */
export function addAdministration(program: Command, run: Run): void {
  deciding(program.command('remove'))
    .description('take a member and all their devices out of the organisation, for good')
    .argument('<name>', 'as `keytide members` shows it')
    .option('--yes', 'do not ask')
    .action((name, options) =>
      run(async (context) => (await import('./commands/remove.ts')).removeMember(context, name, options)),
    );
  deciding(program.command('role'))
    .description('give a member another role')
    .argument('<name>', 'as `keytide members` shows it')
    .addArgument(new Argument('<role>', 'the new role').choices(ROLES))
    .action((name, role, options) =>
      run(async (context) => (await import('./commands/role.ts')).changeRole(context, name, role, options)),
    );
  const policy = program.command('policy').description('what the organisation has decided');
  policy
    .command('show')
    .description('everything that it says')
    .option('--offline', 'what this device knows already')
    .action((options) =>
      run(async (context) => (await import('./commands/policy.ts')).showPolicy(context, options)),
    );
  deciding(policy.command('set'))
    .description('change one thing')
    .argument('<key>', 'as `keytide policy show` shows it')
    .argument('<value>', 'such as 24h, 2, none')
    .action((key, value, options) =>
      run(async (context) => (await import('./commands/policy.ts')).setPolicy(context, key, value, options)),
    );
  const wipes = deciding(program.command('wipe'))
    .description('order devices to destroy what they hold, and end them')
    .addArgument(new Argument('<what>', 'what is named next').choices(WIPE_TARGETS))
    .argument('[which]', 'the id of a device, or the name of a member')
    .option('--yes', 'do not ask')
    .action((of, which, options) =>
      run(async (context) => (await import('./commands/wipe.ts')).wipe(context, of, which, options)),
    );
  wipes
    .command('status')
    .description('devices that were told to destroy what they hold, and which of them say that they have')
    .action(() => run(async (context) => (await import('./commands/wipe-status.ts')).wipeStatus(context)));
  program
    .command('approve')
    .description('approve what another admin proposes, after reading what it does')
    .argument('<file>', 'what --propose wrote')
    .requiredOption('--out <file>', 'where the approval goes')
    .option(
      '--numbers <file>',
      'for anonymous numbers: the numbers that are proposed, as --propose wrote them',
    )
    .option('--yes', 'do not ask')
    .action((file, options) =>
      run(async (context) => (await import('./commands/proposals.ts')).approve(context, file, options)),
    );
  program
    .command('submit')
    .description('do what was proposed, with the approvals it takes')
    .argument('<file>', 'what --propose wrote')
    .argument('[approval...]', 'what `keytide approve` wrote')
    .action((file, approvals) =>
      run(async (context) => (await import('./commands/proposals.ts')).submit(context, file, approvals)),
    );
  const directory = program
    .command('directory')
    .description('what the membership log says, and what the relay has signed of it');
  directory
    .command('audit')
    .description('everything done by or about you and your devices, and what of it none of them has done')
    .option('--offline', 'only what this device knows already; do not ask the relay')
    .option('--note', 'take note of the alarms: it was you; later they are listed without being one')
    .option('--evidence <file>', 'where the evidence goes, when the relay is caught at something')
    .action((options) =>
      run(async (context) => (await import('./commands/audit.ts')).auditDirectory(context, options)),
    );
  directory
    .command('checkpoint')
    .description('print the newest checkpoint that this device has found true, a signed note')
    .option('--offline', 'what this device knows already')
    .action((options) =>
      run(async (context) => (await import('./commands/directory.ts')).showCheckpoint(context, options)),
    );
  program
    .command('verify-evidence')
    .description(
      'say what a file of evidence against a relay or a witness proves; needs no device and no relay',
    )
    .argument('<file>', 'the file')
    .action((file) =>
      run(async (context) => (await import('./commands/verify-evidence.ts')).verifyEvidence(context, file)),
    );
}

function sharing(command: Command): Command {
  return command
    .option('--valid <duration>', 'how long the link works', parseDuration, parseDuration('24h'))
    .option('--qr', 'show it as a QR code, too');
}
