import type { AccessRequestView, DeviceView, InviteView, MemberView } from '@keytide/client';
import type { Keytide } from './organisation.ts';
import { CliError } from './errors.ts';
import { EXIT } from './exit-codes.ts';
import { displayName } from './names.ts';

/** The member who is shown by this name, or has this id. @throws CliError `unknown-member` */
export function findMember(client: Keytide, name: string): MemberView {
  const members = client.members();
  const found = members.filter((member) => displayName(member, members) === name || member.id === name);
  if (found.length === 1) return found[0] as MemberView;
  const isShared = members.some(({ handle }) => handle === name);
  const message = isShared ? 'more than one member has this name' : 'no member has this name';
  const next = 'Give the name, with its # part if it has one, as `keytide members` shows it.';
  throw new CliError('unknown-member', EXIT.usage, message, next);
}

/** The device whose id begins so. @throws CliError `unknown-device` */
export function findDevice(client: Keytide, start: string): DeviceView {
  const next = 'Give at least 8 digits of the id, as `keytide device list` shows it.';
  return one(client.devices(), start) ?? fail('unknown-device', 'device', next);
}

/** The invite whose id begins so, of those that nobody has used. @throws CliError `unknown-invite` */
export function findInvite(client: Keytide, start: string): InviteView {
  const next = 'Give at least 8 digits of the id, as `keytide invite list` shows it.';
  return one(client.invites(), start) ?? fail('unknown-invite', 'open invite', next);
}

/** The access request whose id begins so, of those that wait for this admin. @throws CliError `unknown-request` */
export function findRequest(client: Keytide, start: string): AccessRequestView {
  const next = 'Give at least 8 digits of the id, as `keytide access list` shows it.';
  return one(client.access.inbox, start) ?? fail('unknown-request', 'access request', next);
}

function one<T extends { readonly id: string }>(all: readonly T[], start: string): T | null {
  if (!/^[0-9a-f]{8,64}$/.test(start)) return null;
  const [found = null, ...others] = all.filter(({ id }) => id.startsWith(start));
  return others.length === 0 ? found : null;
}

function fail(
  code: 'unknown-device' | 'unknown-invite' | 'unknown-request',
  what: string,
  next: string,
): never {
  throw new CliError(code, EXIT.usage, `no ${what}, or more than one, has an id that begins so`, next);
}
