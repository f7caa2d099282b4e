import type { Cast, Person } from './cast.ts';
import type { Phone } from './phone.ts';

/** What admins do in a while: they let people in and out, replace what was lost, and have devices wiped. */
export async function administer(cast: Cast): Promise<void> {
  const { chance, plan } = cast;
  const often = (timesAWeek: number): boolean => chance.happens(timesAWeek / plan.stepsAWeek);
  const isAdmin = (phone: Phone): boolean => cast.roleOf(cast.ownerOf(phone)) === 'admin';
  // What is dated ahead of the relay's clock is refused, and an invite that is dated weeks ago is over.
  const isRight = ({ aheadMs }: Phone): boolean => aheadMs <= 0 && aheadMs >= -DAY_MS;
  const admins = cast.present.filter((phone) => isAdmin(phone) && isRight(phone));
  const by = chance.pick(admins);
  if (by === undefined) return;
  if (plan.wipedInWeeks.filter((week) => week <= cast.week).length > cast.acts.total(EVERYONE))
    await wipeEveryone(cast, by);
  const members = cast.people.filter((person) => cast.roleOf(person) !== null);
  const others = members.slice(1);
  if (often(0.5) && hasRoom(cast) && members.length < plan.people) {
    const phone = await cast.admit(by, { role: 'member' });
    cast.tell('somebody joins', `${phone.name} joins by ${by.name}`);
  }
  for (const phone of cast.shut) if (cast.isActive(phone)) await replace(cast, by, phone);
  const bereft = others.filter((person) => active(cast, person).length === 0).slice(0, NEW_PHONES_AT_ONCE);
  const whose = chance.pick(others);
  if (whose !== undefined && active(cast, whose).length < 3 && often(0.7)) bereft.push(whose);
  for (const person of bereft) if (hasRoom(cast)) await giveNew(cast, by, person);
  const lost = chance.pick(others.flatMap((person) => active(cast, person)));
  if (lost !== undefined && lost !== by && often(0.4)) await lose(cast, by, lost);
  const changed = chance.pick(others);
  if (changed !== undefined && changed !== cast.ownerOf(by) && often(0.2)) await change(cast, by, changed);
}

const DAY_MS = 86_400_000;
const EVERYONE = 'everyone but admins is wiped';
/** How many people without a phone get one in one go. */
const NEW_PHONES_AT_ONCE = 6;

function active(cast: Cast, person: Person): Phone[] {
  return person.phones.filter((phone) => cast.isActive(phone));
}

function hasRoom(cast: Cast): boolean {
  return cast.phones.filter((phone) => cast.isActive(phone)).length < cast.plan.devices;
}

async function giveNew(cast: Cast, by: Phone, person: Person): Promise<void> {
  const phone = await cast.admit(by, { phoneOf: person });
  cast.tell('a new phone', `${phone.name} is a new phone`);
}

/** What nobody opens any more is ended, and its owner joins with another. */
async function replace(cast: Cast, by: Phone, phone: Phone): Promise<void> {
  cast.tell('a phone is replaced', `${phone.name} is ended by ${by.name}, because nobody opens it`);
  const ending = by.app.revokeDevice(phone.id as NonNullable<Phone['id']>);
  await cast.pump.during(ending, 'a phone to be ended');
  await giveNew(cast, by, cast.ownerOf(phone));
}

async function lose(cast: Cast, by: Phone, lost: Phone): Promise<void> {
  const isWiped = cast.chance.happens(0.5);
  const device = lost.id as NonNullable<Phone['id']>;
  cast.tell(
    isWiped ? 'a device is wiped' : 'a device is revoked',
    `${lost.name} is lost, and ${isWiped ? 'wiped' : 'revoked'} by ${by.name}`,
  );
  const ending = isWiped ? by.app.wipe({ of: 'device', device }) : by.app.revokeDevice(device);
  await cast.pump.during(ending, 'a phone to be ended');
  // Now and then it lies under the seat, and somebody switches it on again.
  if (cast.chance.happens(0.5) && !lost.isOn) cast.backMs.delete(lost);
}

/** What it is, and who does it. */
type Act = readonly [what: string, act: () => Promise<unknown>];

async function change(cast: Cast, by: Phone, person: Person): Promise<void> {
  const { app } = by;
  const { member } = person;
  const admins = cast.people.filter((one) => cast.roleOf(one) === 'admin').length;
  const isAdmin = cast.roleOf(person) === 'admin';
  if (isAdmin && admins <= 2) return;
  // What has come up least often so far, so that all of it does.
  const acts: readonly Act[] = [
    isAdmin
      ? ['no admin any more', () => app.setRole(member, 'member')]
      : ['an admin now', () => app.setRole(member, 'admin')],
    ...(!isAdmin && active(cast, person).length > 0
      ? ([['wiped', () => app.wipe({ of: 'member', member })]] satisfies Act[])
      : []),
    ['removed', () => app.removeMember(member)],
  ];
  const count = ([what]: Act): number => cast.acts.total(`a member is ${what}`);
  const [what, changing] = acts.toSorted((a, b) => count(a) - count(b))[0] as Act;
  cast.tell(`a member is ${what}`, `${person.name} is ${what} by ${by.name}`);
  await cast.pump.during(changing(), 'a member to be changed');
}

async function wipeEveryone(cast: Cast, by: Phone): Promise<void> {
  cast.tell(EVERYONE, `everyone but admins is wiped by ${by.name}`);
  await cast.pump.during(by.app.wipe({ of: 'everyone-but-admins' }), 'everyone to be wiped');
}
