import type { Operation } from '../operation.ts';

/** What somebody did. */
export const DONE: Readonly<Record<Operation['act'], string>> = {
  ...{ append: 'wrote', create: 'created', edit: 'changed', remove: 'removed' },
};
const UNREADABLE: Readonly<Record<string, string>> = {
  'expired-by-policy': 'its key was deleted when the retention time was over, before this was exported',
  'ask-an-admin': 'it is from a time to which the exporting device had no access',
  'sealing-key-expired': 'the exporting device had been away too long to be given its key',
  'key-not-yet-arrived': 'its key had not arrived at the exporting device',
  'device-not-certified': 'it was not written by a device of a member',
  removed: 'its sender had been removed by then',
  tampered: 'it was altered or forged',
  replayed: 'it is a message from before, sent again',
  'out-of-order': 'it is older than a message of its sender that came before it',
  'chain-broken': 'it does not follow the message that its sender wrote before',
  invalid: 'it is against the rules of the application',
};
const INVALID: Readonly<Record<string, string>> = {
  malformed: 'it is no operation, or was sent in another place than its own',
  'unknown-act': 'the exporting program did not know what it does',
  'unknown-collection':
    'Whether this follows the rules of its application nobody has looked at: the exporting program did not know it',
  schema: 'its value has not the form that the application asks for',
  role: 'its author may not do this',
  field: 'its author may not change one of its fields',
};

/** Why a message could not be read. */
export const unreadableWords = (code: string): string =>
  UNREADABLE[code] ?? 'for a reason that has no words here';

/** Why a message counts for nothing, or what is to be said of it. */
export const invalidWords = (code: string): string => INVALID[code] ?? 'for a reason that has no words here';

const DAYS = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(' ');
const MONTHS = 'January February March April May June July August September October November December'.split(
  ' ',
);

/** A day in words, in UTC. Our own: what Intl says depends on the version of its data. */
export function dayOf(ms: number): string {
  const date = new Date(ms);
  return [DAYS[date.getUTCDay()], date.getUTCDate(), MONTHS[date.getUTCMonth()], date.getUTCFullYear()].join(
    ' ',
  );
}

/** A time of day in UTC: 13:45:06. */
export const timeOf = (ms: number): string => new Date(ms).toISOString().split('T')[1]?.slice(0, 8) as string;

/** A size as people say it. */
export function sizeOf(bytes: number): string {
  if (bytes < 1000) return `${bytes} bytes`;
  return bytes < 1_000_000 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}
