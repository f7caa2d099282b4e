import { DirectoryError, type Role } from '@keytide/key-directory';
import type { DeviceId, MemberId } from '@keytide/crypto-core';
import { ClientError } from '@keytide/client';
import { until } from '../../hostile/stage.ts';
import { approvalsNeeded, attempt, otherAdmins, type Act } from '../model.ts';
import { pick } from '../world.ts';
import { grow, orgOf, present, quiet, type Crew } from './crew.ts';
import type { User } from './office.ts';

type ClientAct = Parameters<User['client']['act']>[0];

/** A person or a device comes in by the link of an invite; as two entries. */
export async function admits(crew: Crew, by: User, whom: { role: Role } | { owner: string }): Promise<void> {
  const offer = `i${crew.logs.length}`;
  const expiresMs = Infinity;
  const invitation: Act =
    'role' in whom
      ? { kind: 'invite', offer, role: whom.role, expiresMs }
      : { kind: 'invite-device', offer, owner: whom.owner, expiresMs };
  const { client } = by;
  const link = await tried(crew, by, { act: invitation, approvers: [] }, () =>
    'role' in whom
      ? client.invite({ role: whom.role })
      : client.inviteDevice({ member: crew.people.get(whom.owner) as MemberId }),
  );
  if (link === null) return;
  const name = `d${crew.users.size}`;
  const person = 'role' in whom ? `p${crew.people.size}` : whom.owner;
  const entry: Act =
    'role' in whom
      ? { kind: 'join', offer, person, hasLink: true }
      : { kind: 'add-device', offer, hasLink: true };
  const after = attempt(orgOf(crew), { by: name, act: entry, approvers: [], timeMs: 0 });
  const user = await crew.office.enter(name, link, person);
  crew.users.set(name, user);
  crew.people.set(person, user.client.member);
  if (after === null) crew.problems.push(`${name} came in by an invite that is none`);
  else grow(crew, after);
  await quiet(crew);
}

/** A user does something alone, or with the approvals that it takes. */
export async function does(crew: Crew, by: User, act: Act, isAlone: boolean): Promise<void> {
  const org = orgOf(crew);
  const here = present(crew);
  const approvers = isAlone
    ? []
    : otherAdmins(org, by.name)
        .filter((name) => here.some((user) => user.name === name))
        .slice(0, approvalsNeeded(org, by.name, act));
  const { client } = by;
  await tried(crew, by, { act, approvers }, async () => {
    const wanted = wantedBy(crew, act);
    if (approvers.length === 0) return await client.act(wanted);
    const proposal = await client.propose(wanted);
    const approvals = await Promise.all(
      approvers.map((name) => (crew.users.get(name) as User).client.approve(proposal)),
    );
    await client.submit(proposal, approvals);
  });
  await quiet(crew);
}

/** Tries something, and holds what came of it against the model; `null` when it was refused. */
async function tried<T>(
  crew: Crew,
  by: User,
  { act, approvers }: { act: Act; approvers: readonly string[] },
  work: () => Promise<T>,
): Promise<T | null> {
  const after = attempt(orgOf(crew), { by: by.name, act, approvers, timeMs: 0 });
  const words = `${by.name}: ${JSON.stringify(act)} ${approvers.map((name) => `+${name}`).join(' ')}`;
  crew.story.push(after === null ? `refused: ${words}` : words);
  if (after !== null) grow(crew, after);
  try {
    const done = await work();
    if (after === null) crew.problems.push(`not refused: ${words}`);
    return done;
  } catch (error) {
    if (!(error instanceof DirectoryError || error instanceof ClientError)) throw error;
    if (after !== null) crew.problems.push(`refused with ${error.code}: ${words}`);
    return null;
  }
}

function wantedBy(crew: Crew, act: Act): ClientAct {
  const person = (name: string): MemberId => crew.people.get(name) as MemberId;
  const device = (name: string): DeviceId => (crew.users.get(name) as User).id;
  switch (act.kind) {
    case 'revoke-device':
      return { kind: 'revoke-device', device: device(act.phone) };
    case 'remove-member':
      return { kind: 'remove-member', member: person(act.person) };
    case 'role':
      return { kind: 'role', member: person(act.person), role: act.role };
    case 'policy': {
      const { administration, wipe } = act.policy;
      const approvals = {
        ...(administration > 1 ? { administration } : {}),
        ...(wipe > 1 ? { wipe } : {}),
      };
      const change: Extract<ClientAct, { kind: 'policy' }>['change'] = ({ approvals: before, ...rest }) => {
        void before;
        return Object.keys(approvals).length > 0 ? { ...rest, approvals } : rest;
      };
      return { kind: 'policy', change };
    }
    case 'wipe':
      if ('phone' in act.target)
        return { kind: 'wipe', target: { of: 'device', device: device(act.target.phone) } };
      if ('person' in act.target)
        return { kind: 'wipe', target: { of: 'member', member: person(act.target.person) } };
      return { kind: 'wipe', target: { of: 'everyone-but-admins' } };
    default:
      throw new Error(`no client does ${act.kind} like this`);
  }
}

/** Writes a line and waits until it is in the log; who is on hears it. */
export async function says(crew: Crew, user: User): Promise<void> {
  const text = `line ${crew.story.length}`;
  crew.story.push(`${user.name} says '${text}'`);
  await user.client.collections.chat.append({ text });
  await until(() => user.client.waiting === 0, `'${text}' of ${user.name} to be in the log`);
}

export function personIn(crew: Crew, number: number): string {
  return pick([...crew.people.keys()], number);
}

export function deviceIn(crew: Crew, number: number): string {
  return pick([...crew.users.keys()], number);
}
