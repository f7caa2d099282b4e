import { ClientError } from '@keytide/client';
import { administer } from './administer.ts';
import type { Cast } from './cast.ts';
import type { Phone } from './phone.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const WEEK_MS = 7 * DAY_MS;
const ABSENCES_MS = [2 * DAY_MS, WEEK_MS, 2 * WEEK_MS, 3 * WEEK_MS, 6 * WEEK_MS] as const;
const CUTS_MS = [DAY_MS, 3 * DAY_MS, WEEK_MS, 2 * WEEK_MS, 6 * WEEK_MS] as const;
const PARTITION_MS = 9 * DAY_MS;
const ROUNDS = 4;
/** Slow by weeks, or fast by less than what is left of a block when somebody looks. */
const CLOCKS_MS = [-3 * WEEK_MS, -DAY_MS, 15 * 60_000, 20 * HOUR_MS] as const;

/** What happens by chance between two looks at the clock. */
export async function happen(cast: Cast): Promise<void> {
  await comeBack(cast);
  // What somebody who is back still comes by is seen before they go again.
  await cast.settle();
  await goAway(cast);
  await administer(cast);
  await ask(cast);
  // What was answered can show what else is lacking: people answer until nobody asks.
  for (let round = 0; round < ROUNDS && (await answer(cast)); round += 1) await cast.settle();
  await speak(cast);
}

async function comeBack(cast: Cast): Promise<void> {
  for (const [phone, backMs] of [...cast.backMs]) {
    if (backMs > cast.hours.now()) continue;
    cast.backMs.delete(phone);
    cast.tell('somebody is back', `${phone.name} is back`);
    const isLocked = phone.isOn && phone.app.state.kind === 'locked';
    if (isLocked) await cast.pump.during(phone.turnOff(), `${phone.name} to close`);
    if (phone.isOn) phone.mend();
    else await turnOn(cast, phone);
  }
}

/** With a lease that is over, nobody opens it. */
async function turnOn(cast: Cast, phone: Phone): Promise<void> {
  const isShut = cast.isShut(phone);
  try {
    await cast.pump.during(phone.turnOn(), `${phone.name} to open`);
    if (isShut) cast.ledger.problems.push(`${phone.name} opens, and its lease is over`);
    // Before it has heard anything new.
    cast.wakes(phone);
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    if (error.code !== (isShut ? 'lease-over' : 'wiped')) throw error;
    cast.tell(`a phone that is back: ${error.code}`, `${phone.name} does not open: ${error.code}`);
    if (isShut) cast.shut.add(phone);
  }
}

async function goAway(cast: Cast): Promise<void> {
  const { chance } = cast;
  const isPartition = chance.happens(0.1);
  if (isPartition) cast.tell('a region without network', 'a region has no network');
  for (const phone of cast.phones) {
    if (!phone.isOn || !cast.isActive(phone)) continue;
    if (phone.aheadMs !== 0 ? chance.happens(0.3) : chance.happens(0.01)) {
      phone.aheadMs = phone.aheadMs === 0 ? (chance.pick(CLOCKS_MS) as number) : 0;
      cast.tell('a clock is set', `the clock of ${phone.name} is ${phone.aheadMs / DAY_MS} days ahead`);
      // Who set it has the app in view again: it looks at once, and not within the hour.
      phone.app.resume();
    }
    if (phone.isCut || isOffice(cast, phone)) continue;
    const stays = (list: readonly number[]): void =>
      void cast.backMs.set(phone, cast.hours.now() + (chance.pick(list) as number));
    const fate = chance.share();
    if (fate < 0.12 || isPartition) await cast.inStep(phone);
    if (isPartition && fate > 0.7) {
      phone.cut();
      cast.backMs.set(phone, cast.hours.now() + PARTITION_MS);
    } else if (fate < 0.04) {
      const isKilled = chance.happens(0.4);
      const what = isKilled ? 'killed' : 'switched off';
      cast.tell(what, `${phone.name} is ${what}`);
      if (isKilled) await phone.kill(chance.share());
      else await cast.pump.during(phone.turnOff(), `${phone.name} to close`);
      stays(ABSENCES_MS);
    } else if (fate < 0.08) {
      cast.tell('no network', `${phone.name} has no network`);
      phone.cut();
      stays(CUTS_MS);
    } else if (fate < 0.12) {
      cast.tell('killed and opened again', `${phone.name} is killed and opened again`);
      await phone.kill(chance.share());
      await turnOn(cast, phone);
    }
  }
}

/** The first phone of the founder is always there: some admin answers. */
function isOffice(cast: Cast, phone: Phone): boolean {
  return cast.people[0]?.phones[0] === phone;
}

/** People whose phone shows them too little ask for more. What was sealed to a device before, it asks for by itself. */
async function ask(cast: Cast): Promise<void> {
  for (const phone of cast.present) {
    const { access, state } = phone.app;
    // Who has not caught up yet does not know what it lacks.
    if (state.kind !== 'online' || access.outstanding !== null || !cast.chance.happens(0.3)) continue;
    if (cast.ledger.mayAskFor(cast.standing(phone)).every(({ wasRecipient }) => wasRecipient)) continue;
    cast.tell('somebody asks', `${phone.name} asks for what was before`);
    cast.dues.asks(phone, cast.standing(phone));
    await cast.pump.during(access.request(), 'a request');
  }
}

/**
 * Admins look into their inboxes; several can answer the same request at once, and say the same.
 * @returns whether there was anything to answer
 */
async function answer(cast: Cast): Promise<boolean> {
  const verdicts = new Map<string, boolean>();
  for (const phone of cast.present)
    for (const { id, device } of phone.app.access.inbox) {
      const isGood = verdicts.get(id) ?? cast.chance.happens(0.8);
      verdicts.set(id, isGood);
      const asking = cast.phones.find((other) => other.id === device) as Phone;
      const after = cast.isAfterWipe(asking) ? ', after a wipe' : '';
      cast.tell(
        `a request is ${isGood ? 'granted' : 'refused'}${after}`,
        `${phone.name} ${isGood ? 'gives' : 'refuses'} ${asking.name} what it asks for`,
      );
      if (!isGood) cast.dues.refused(asking);
      const answering = isGood ? phone.app.access.approve(id) : phone.app.access.refuse(id, 'not now');
      try {
        await cast.pump.during(answering, 'an answer');
      } catch (error) {
        // Another admin was faster, the device has asked for something else since, or all that it asks for is over.
        const isOvertaken =
          error instanceof ClientError && ['unknown-request', 'beyond-entitlement'].includes(error.code);
        if (!isOvertaken && !isOfFastClock(phone, error)) throw error;
      }
    }
  return verdicts.size > 0;
}

async function speak(cast: Cast): Promise<void> {
  cast.read();
  const speakers = cast.phones.filter((phone) => phone.isOn && cast.isActive(phone) && !cast.isLocked(phone));
  for (let i = 0; i < cast.plan.messagesAStep; i += 1) {
    const phone = cast.chance.pick(speakers) as Phone;
    cast.said += 1;
    const text = `${phone.name} says ${cast.said}`;
    try {
      await cast.pump.during(phone.app.collections.chat.append({ text }), text);
      cast.accepted.set(phone, (cast.accepted.get(phone) ?? 0) + 1);
    } catch (error) {
      // Nothing can be written without a key and without the relay, nor by a clock that no relay believes.
      const isNotReady = error instanceof ClientError && error.code === 'not-ready';
      if (!isNotReady && !isOfFastClock(phone, error)) throw error;
      cast.tell('somebody cannot write', `${phone.name} cannot write`);
    }
  }
}

/** No relay believes what is dated more than an hour ahead. */
function isOfFastClock({ isFast }: Phone, error: unknown): boolean {
  return isFast && error instanceof ClientError && error.code === 'relay-refused';
}
