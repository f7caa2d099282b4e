import type { EntryBody, Policy, WipeTarget } from '@keytide/key-directory';
import type { Keytide } from './organisation.ts';
import { displayName } from './names.ts';
import { policyChanges } from './policy-keys.ts';
import { usageError } from './usage.ts';

/** What an entry would do, in lines for a person who decides about it. @throws CliError `usage` for what no person decides */
export function describeAct(client: Keytide, body: EntryBody): string[] {
  switch (body.kind) {
    case 'role':
      return [`${nameOf(client, body.member)} becomes ${body.role}`];
    case 'policy':
      return policyLines(client.policy, body.policy);
    case 'wipe':
      return [`${targetText(client, body.target)}: told to destroy what they hold, and ended`];
    case 'remove-member':
      return [`${nameOf(client, body.member)} is removed, with all devices, for good`];
    case 'invite':
      return [`somebody is invited as ${body.role}`];
    case 'invite-device':
      return [`another device of ${nameOf(client, body.member)} is invited`];
    case 'revoke-device':
      return [`device ${body.device} is ended`];
    case 'revoke-invite':
      return [`invite ${body.invite} is taken back`];
    case 'aggregates':
      return [
        `anonymous numbers about ${body.dataset} are published, from ${dateOf(body.fromMs)} to before ${dateOf(body.toMs)}, for good`,
      ];
    default:
      throw usageError('not a proposal', 'Give the file that --propose wrote.');
  }
}

/** Its day, by UTC. */
export function dateOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

/** A member's name, or the id of one who is not there. */
export function nameOf(client: Keytide, id: string): string {
  const members = client.members();
  const member = members.find((other) => other.id === id);
  return member === undefined ? `member ${id}` : displayName(member, members);
}

function targetText(client: Keytide, target: WipeTarget): string {
  if (target.of === 'everyone-but-admins') return 'all devices of everybody who is not an admin';
  if (target.of === 'member') return `all devices of ${nameOf(client, target.member)}`;
  const owner = client.devices().find(({ id }) => id === target.device)?.member;
  return `device ${target.device}${owner === undefined ? '' : ` of ${nameOf(client, owner)}`}`;
}

function policyLines(before: Policy, after: Policy): string[] {
  return ['the policy changes', ...policyChanges(before, after).map((line) => `  ${line}`)];
}
