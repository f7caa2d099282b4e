import { ClientError } from '@keytide/client';
import type { Cast, Person } from './cast.ts';
import type { Phone } from './phone.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const WEEK_MS = 7 * DAY_MS;
const ABSENCES_MS = [2 * DAY_MS, WEEK_MS, 3 * WEEK_MS, 6 * WEEK_MS, 14 * WEEK_MS] as const;
const CUTS_MS = [DAY_MS, 3 * DAY_MS, 2 * WEEK_MS] as const;
/** Slow by weeks, or fast by less than what is left of a block when somebody looks. */
const CLOCKS_MS = [-3 * WEEK_MS, -DAY_MS, 15 * 60_000, 20 * HOUR_MS] as const;

/** What happens by chance between two looks at the clock. */
export async function happen(cast: Cast): Promise<void> {
  await comeBack(cast);
  await goAway(cast);
  await administer(cast);
  await ask(cast);
  await answer(cast);
  await speak(cast);
}

async function comeBack(cast: Cast): Promise<void> {
  for (const [phone, backMs] of [...cast.backMs]) {
    if (backMs > cast.hours.now()) continue;
    cast.backMs.delete(phone);
    cast.tell(`${phone.name} is back`);
    if (phone.isOn) phone.mend();
    else await turnOn(cast, phone);
  }
}

async function turnOn(cast: Cast, phone: Phone): Promise<void> {
  try {
    await phone.turnOn();
  } catch (error) {
    if (!(error instanceof ClientError) || error.code !== 'wiped') throw error;
    cast.tell(`${phone.name} has nothing left`);
  }
}

async function goAway(cast: Cast): Promise<void> {
  const { chance } = cast;
  for (const phone of cast.phones) {
    if (!phone.isOn || !cast.isActive(phone)) continue;
    if (phone.aheadMs !== 0 ? chance.happens(0.3) : chance.happens(0.01)) {
      phone.aheadMs = phone.aheadMs === 0 ? (chance.pick(CLOCKS_MS) as number) : 0;
      cast.tell(`the clock of ${phone.name} is ${phone.aheadMs / DAY_MS} days ahead`);
    }
    if (phone.isCut || isOffice(cast, phone)) continue;
    const stays = (list: readonly number[]): void =>
      void cast.backMs.set(phone, cast.hours.now() + (chance.pick(list) as number));
    const fate = chance.share();
    if (fate < 0.04) {
      const isKilled = chance.happens(0.4);
      cast.tell(`${phone.name} is ${isKilled ? 'killed' : 'switched off'}`);
      if (isKilled) await phone.kill(chance.share());
      else await cast.pump.during(phone.turnOff(), `${phone.name} to close`);
      stays(ABSENCES_MS);
    } else if (fate < 0.08) {
      cast.tell(`${phone.name} has no network`);
      phone.cut();
      stays(CUTS_MS);
    } else if (fate < 0.12) {
      cast.tell(`${phone.name} is killed and opened again`);
      await phone.kill(chance.share());
      await phone.turnOn();
    }
  }
}

/** The first phone of the founder is always there: some admin answers. */
function isOffice(cast: Cast, phone: Phone): boolean {
  return cast.people[0]?.phones[0] === phone;
}

async function administer(cast: Cast): Promise<void> {
  const { chance, plan } = cast;
  const often = (timesAWeek: number): boolean => chance.happens(timesAWeek / plan.stepsAWeek);
  const admins = cast.present.filter((phone) => cast.roleOf(cast.ownerOf(phone)) === 'admin');
  const by = chance.pick(admins);
  if (by === undefined) return;
  const members = cast.people.filter((person) => cast.roleOf(person) !== null);
  const others = members.slice(1);
  const active = (person: Person): Phone[] => person.phones.filter((phone) => cast.isActive(phone));
  const count = cast.phones.filter((phone) => cast.isActive(phone)).length;
  if (often(0.5) && count < plan.devices && members.length < plan.people) {
    const phone = await cast.admit(by, { role: 'member' });
    cast.tell(`${phone.name} joins by ${by.name}`);
  }
  const whose = chance.pick(others);
  if (
    whose !== undefined &&
    count < plan.devices &&
    active(whose).length < 3 &&
    often(active(whose).length === 0 ? 2 : 0.7)
  ) {
    const phone = await cast.admit(by, { phoneOf: whose });
    cast.tell(`${phone.name} is a new phone`);
  }
  const lost = chance.pick(others.flatMap(active));
  if (lost !== undefined && lost !== by && often(0.4)) await lose(cast, by, lost);
  const changed = chance.pick(others);
  if (changed !== undefined && changed !== cast.ownerOf(by) && often(0.15)) await change(cast, by, changed);
}

async function lose(cast: Cast, by: Phone, lost: Phone): Promise<void> {
  cast.tell(`${lost.name} is lost, and ended by ${by.name}`);
  const ending = cast.chance.happens(0.5)
    ? by.app.revokeDevice(lost.id as NonNullable<Phone['id']>)
    : by.app.wipe({ of: 'device', device: lost.id as NonNullable<Phone['id']> });
  await cast.pump.during(ending, 'a phone to be ended');
  // Now and then it lies under the seat, and somebody switches it on again.
  if (cast.chance.happens(0.5) && !lost.isOn) cast.backMs.delete(lost);
}

async function change(cast: Cast, by: Phone, person: Person): Promise<void> {
  const admins = cast.people.filter((one) => cast.roleOf(one) === 'admin').length;
  const isAdmin = cast.roleOf(person) === 'admin';
  if (isAdmin && admins <= 2) return;
  const goes = cast.chance.happens(0.4);
  cast.tell(
    `${person.name} ${goes ? 'is removed' : isAdmin ? 'is no admin any more' : 'becomes an admin'} by ${by.name}`,
  );
  const changing = goes
    ? by.app.removeMember(person.member)
    : by.app.setRole(person.member, isAdmin ? 'member' : 'admin');
  await cast.pump.during(changing, 'a member to be changed');
}

/** People whose phone shows them too little ask for more. What was sealed to a device before, it asks for by itself. */
async function ask(cast: Cast): Promise<void> {
  for (const phone of cast.present) {
    if (phone.app.access.outstanding !== null || !cast.chance.happens(0.3)) continue;
    if (cast.ledger.mayAskFor(cast.standing(phone)).every(({ wasRecipient }) => wasRecipient)) continue;
    cast.tell(`${phone.name} asks for what was before`);
    await cast.pump.during(phone.app.access.request(), 'a request');
  }
}

/** Admins look into their inboxes; one of them answers each request. */
async function answer(cast: Cast): Promise<void> {
  for (const phone of cast.present)
    for (const { id, device } of phone.app.access.inbox) {
      const isGood = cast.chance.happens(0.8);
      cast.tell(`${phone.name} ${isGood ? 'gives' : 'refuses'} ${cast.nameOf(device)} what it asks for`);
      const answering = isGood ? phone.app.access.approve(id) : phone.app.access.refuse(id, 'not now');
      try {
        await cast.pump.during(answering, 'an answer');
      } catch (error) {
        // Another admin was faster, or the device has asked for something else since.
        if (!(error instanceof ClientError) || error.code !== 'unknown-request') throw error;
      }
    }
}

async function speak(cast: Cast): Promise<void> {
  cast.read();
  const speakers = cast.phones.filter((phone) => phone.isOn && cast.isActive(phone));
  for (let i = 0; i < cast.plan.messagesAStep; i += 1) {
    const phone = cast.chance.pick(speakers) as Phone;
    cast.said += 1;
    const text = `${phone.name} says ${cast.said}`;
    try {
      await cast.pump.during(phone.app.collections.chat.append({ text }), text);
      cast.accepted.set(phone, (cast.accepted.get(phone) ?? 0) + 1);
    } catch (error) {
      // Nothing can be written without a key and without the relay, nor by a clock that no relay believes.
      const isFast = phone.aheadMs > HOUR_MS && (error as ClientError).relayCode === 'statement-refused';
      if (!(error instanceof ClientError) || (error.code !== 'not-ready' && !isFast)) throw error;
      cast.tell(`${phone.name} cannot write`);
    }
  }
}
