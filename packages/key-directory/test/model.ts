import type { Role } from '@keytide/key-directory';

/**
 * The rules of the membership log told a second time, as plainly as can be: names for ids, a list of present
 * people, no signatures, no bytes. It shares nothing with the code it is held against.
 */
export interface Model {
  readonly people: Person[];
  readonly gone: Set<string>;
  readonly usedDevices: Set<string>;
  readonly offers: Offer[];
  now: number;
  step: number;
}

interface Person {
  readonly name: string;
  role: Role;
  adminSince: number | null;
  devices: string[];
}

interface Offer {
  readonly name: string;
  /** What a newcomer becomes; `null` where it lets in a device of `person`. */
  readonly role: Role | null;
  readonly person: string | null;
  readonly expires: number;
  /** The device that issued it, and whose it was. */
  readonly issuer: string;
  readonly owner: string;
  readonly step: number;
  state: 'open' | 'spent';
}

/** What an actor tries to do; names may be of things that do not exist. */
export type Act =
  | { kind: 'invite'; offer: string; role: Role; expires: number }
  | { kind: 'revoke-invite'; offer: string }
  | { kind: 'join'; offer: string; person: string; stolen: boolean }
  | { kind: 'invite-device'; offer: string; person: string; expires: number }
  | { kind: 'add-device'; offer: string; stolen: boolean }
  | { kind: 'revoke-device'; device: string }
  | { kind: 'remove-member'; person: string }
  | { kind: 'role'; person: string; role: Role };

/** An organisation of one admin with one device. */
export function newModel(person: string, device: string, now: number): Model {
  const founder: Person = { name: person, role: 'admin', adminSince: 0, devices: [device] };
  return {
    people: [founder],
    gone: new Set(),
    usedDevices: new Set([device]),
    offers: [],
    now,
    step: 1,
  };
}

/** Whether `device` gets its way; when it does, the model has changed. */
export function attempt(model: Model, device: string, act: Act): boolean {
  const isNewcomer = act.kind === 'join' || act.kind === 'add-device';
  const allowed = isNewcomer ? tryAsNewcomer(model, device, act) : tryAsMember(model, device, act);
  if (allowed) model.step += 1;
  return allowed;
}

/** All devices that count, sorted. */
export function activeDevices(model: Model): string[] {
  return model.people.flatMap(({ devices }) => devices).toSorted();
}

function tryAsNewcomer(model: Model, device: string, act: Act & { kind: 'join' | 'add-device' }): boolean {
  const offer = model.offers.find(({ name }) => name === act.offer);
  const issuer = offer && model.people.find(({ devices }) => devices.includes(offer.issuer));
  if (act.stolen || offer?.state !== 'open' || offer.expires < model.now || issuer === undefined)
    return false;
  const isForOneself = offer.person === issuer.name;
  if (!isForOneself && (issuer.adminSince === null || issuer.adminSince > offer.step)) return false;
  if (model.usedDevices.has(device)) return false;
  if (act.kind === 'join') {
    if (offer.role === null) return false;
    if (model.gone.has(act.person) || model.people.some(({ name }) => name === act.person)) return false;
    const adminSince = offer.role === 'admin' ? model.step : null;
    model.people.push({ name: act.person, role: offer.role, adminSince, devices: [device] });
  } else {
    const owner = model.people.find(({ name }) => name === offer.person);
    if (owner === undefined) return false;
    owner.devices.push(device);
  }
  offer.state = 'spent';
  model.usedDevices.add(device);
  return true;
}

function tryAsMember(
  model: Model,
  device: string,
  act: Exclude<Act, { kind: 'join' | 'add-device' }>,
): boolean {
  const me = model.people.find(({ devices }) => devices.includes(device));
  if (me === undefined) return false;
  const owner = (id: string): Person | undefined => model.people.find(({ devices }) => devices.includes(id));
  const person = 'person' in act ? model.people.find(({ name }) => name === act.person) : undefined;
  const isAdmin = me.role === 'admin';
  switch (act.kind) {
    case 'invite':
      if (!isAdmin || act.expires < model.now || model.offers.some(({ name }) => name === act.offer))
        return false;
      model.offers.push({
        name: act.offer,
        role: act.role,
        person: null,
        expires: act.expires,
        issuer: device,
        owner: me.name,
        step: model.step,
        state: 'open',
      });
      return true;
    case 'revoke-invite': {
      const offer = model.offers.find(({ name }) => name === act.offer);
      const issuedByMe = offer !== undefined && offer.owner === me.name;
      if ((!isAdmin && !issuedByMe) || offer?.state !== 'open') return false;
      offer.state = 'spent';
      return true;
    }
    case 'invite-device':
      if (person === undefined || (person !== me && !isAdmin)) return false;
      if (act.expires < model.now || model.offers.some(({ name }) => name === act.offer)) return false;
      model.offers.push({
        name: act.offer,
        role: null,
        person: person.name,
        expires: act.expires,
        issuer: device,
        owner: me.name,
        step: model.step,
        state: 'open',
      });
      return true;
    case 'revoke-device': {
      const victim = owner(act.device);
      if (victim === undefined || (victim !== me && !isAdmin)) return false;
      if (isLastHope(model, victim) && victim.devices.length === 1) return false;
      victim.devices = victim.devices.filter((id) => id !== act.device);
      return true;
    }
    case 'remove-member':
      if (!isAdmin || person === undefined || isLastHope(model, person)) return false;
      model.people.splice(model.people.indexOf(person), 1);
      model.gone.add(person.name);
      return true;
    case 'role':
      if (!isAdmin || person === undefined || person.role === act.role || isLastHope(model, person))
        return false;
      person.role = act.role;
      person.adminSince = act.role === 'admin' ? model.step : null;
      return true;
  }
}

/** Whether this is the only admin who has a device. */
function isLastHope(model: Model, person: Person): boolean {
  const able = model.people.filter(({ role, devices }) => role === 'admin' && devices.length > 0);
  return able.length === 1 && able[0] === person;
}
