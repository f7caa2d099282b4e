/**
 * What the directory should come to, said as plainly as it can be: who is in, and what each may do. Names instead
 * of keys, no bytes, and none of the product's code.
 */
export type Role = 'admin' | 'member' | 'exporter';

export interface PolicyModel {
  readonly blockMs: number;
  readonly silenceMs: number;
  /** How many admins it takes; 1 where the policy says nothing. */
  readonly administration: number;
  readonly wipe: number;
  /** Which recovery key. */
  readonly recovery: number;
}

interface Person {
  readonly role: Role;
  /** How long the log was when the role was given. */
  readonly since: number;
  readonly isPresent: boolean;
}

interface Phone {
  readonly owner: string;
  readonly isActive: boolean;
  readonly isWiped: boolean;
}

interface Offer {
  readonly by: string;
  readonly at: number;
  readonly lets: { readonly role: Role } | { readonly owner: string };
  readonly expiresMs: number;
  readonly isSpent: boolean;
}

/** An organisation after so many entries. */
export interface Org {
  readonly size: number;
  readonly timeMs: number;
  readonly policy: PolicyModel;
  readonly people: ReadonlyMap<string, Person>;
  readonly phones: ReadonlyMap<string, Phone>;
  readonly offers: ReadonlyMap<string, Offer>;
}

/** What somebody tries. `hasLink`: with the invite's secret, not one of their own making. */
export type Act =
  | { readonly kind: 'invite'; readonly offer: string; readonly role: Role; readonly expiresMs: number }
  | {
      readonly kind: 'invite-device';
      readonly offer: string;
      readonly owner: string;
      readonly expiresMs: number;
    }
  | { readonly kind: 'join'; readonly offer: string; readonly person: string; readonly hasLink: boolean }
  | { readonly kind: 'add-device'; readonly offer: string; readonly hasLink: boolean }
  | { readonly kind: 'revoke-device'; readonly phone: string }
  | { readonly kind: 'remove-member'; readonly person: string }
  | { readonly kind: 'role'; readonly person: string; readonly role: Role }
  | { readonly kind: 'policy'; readonly policy: PolicyModel }
  | { readonly kind: 'wipe'; readonly target: Target }
  | {
      readonly kind: 'recovery';
      readonly person: string;
      readonly key: number;
      readonly removed: readonly string[];
      readonly policy: PolicyModel;
    };

export type Target =
  | { readonly phone: string }
  | { readonly person: string }
  | { readonly everyone: 'but-admins' };

/** An act, the phone that signs it, and the phones that approve it. */
export interface Attempt {
  readonly by: string;
  readonly act: Act;
  readonly approvers: readonly string[];
  readonly timeMs: number;
}

/** An organisation of one. */
export function founded(person: string, phone: string, policy: PolicyModel, timeMs: number): Org {
  return {
    size: 1,
    timeMs,
    policy,
    people: new Map([[person, { role: 'admin', since: 0, isPresent: true }]]),
    phones: new Map([[phone, { owner: person, isActive: true, isWiped: false }]]),
    offers: new Map(),
  };
}

/** The organisation after an attempt; `null` when it must be refused. */
export function attempt(org: Org, tried: Attempt): Org | null {
  const { act, by } = tried;
  const isNewcomer = act.kind === 'join' || act.kind === 'add-device' || act.kind === 'recovery';
  if (isNewcomer ? org.phones.has(by) : !isActive(org, by)) return null;
  if (!isApproved(org, tried)) return null;
  const change = changeBy(org, tried);
  if (change === null) return null;
  const next: Org = {
    size: org.size + 1,
    timeMs: tried.timeMs,
    policy: change.policy ?? org.policy,
    people: new Map([...org.people, ...(change.people ?? [])]),
    phones: new Map([...org.phones, ...(change.phones ?? [])]),
    offers: new Map([...org.offers, ...(change.offers ?? [])]),
  };
  return actingAdmins(next) > 0 && needed(next.policy, 'administration') <= limitOf(act, next) ? next : null;
}

export function isActive(org: Org, phone: string): boolean {
  return org.phones.get(phone)?.isActive ?? false;
}

/** The phones that are to have the keys of an epoch made now. */
export function activePhones(org: Org): string[] {
  return [...org.phones].filter(([, { isActive: active }]) => active).map(([name]) => name);
}

export function isAdmin(org: Org, person: string | undefined): boolean {
  const found = person === undefined ? undefined : org.people.get(person);
  return found?.isPresent === true && found.role === 'admin';
}

/** The phones that could approve what `by` tries, one of each other admin. */
export function otherAdmins(org: Org, by: string): string[] {
  const heard = new Set([org.phones.get(by)?.owner]);
  return activePhones(org).filter((phone) => {
    const owner = org.phones.get(phone)?.owner;
    if (!isAdmin(org, owner) || heard.has(owner)) return false;
    heard.add(owner);
    return true;
  });
}

/** How many approvals of others an act takes. */
export function approvalsNeeded(org: Org, by: string, act: Act): number {
  const own = org.phones.get(by)?.owner;
  switch (act.kind) {
    case 'policy':
      return needed(org.policy, 'administration') - 1;
    case 'invite':
      return act.role === 'admin' ? needed(org.policy, 'administration') - 1 : 0;
    case 'role':
      return act.role === 'admin' || isAdmin(org, act.person) ? needed(org.policy, 'administration') - 1 : 0;
    case 'remove-member':
      return isAdmin(org, act.person) ? needed(org.policy, 'administration') - 1 : 0;
    case 'invite-device':
      return act.owner !== own && isAdmin(org, act.owner) ? needed(org.policy, 'administration') - 1 : 0;
    case 'wipe': {
      const owner = 'phone' in act.target ? org.phones.get(act.target.phone)?.owner : undefined;
      const isOwn = 'person' in act.target ? act.target.person === own : owner === own;
      return isOwn ? 0 : needed(org.policy, 'wipe') - 1;
    }
    default:
      return 0;
  }
}

function needed(policy: PolicyModel, what: 'administration' | 'wipe'): number {
  return what === 'wipe' ? policy.wipe : Math.max(policy.administration, policy.wipe);
}

/** Only what sets a policy is held to it; later losses of admins are for the recovery key. */
function limitOf(act: Act, after: Org): number {
  return act.kind === 'policy' || act.kind === 'recovery' ? actingAdmins(after) : Infinity;
}

function actingAdmins(org: Org): number {
  const owners = activePhones(org).map((phone) => org.phones.get(phone)?.owner);
  return new Set(owners.filter((owner) => isAdmin(org, owner))).size;
}

function isApproved(org: Org, { by, act, approvers }: Attempt): boolean {
  const owners = [by, ...approvers].map((phone) => org.phones.get(phone)?.owner);
  const areAdmins = approvers.every(
    (phone) => isActive(org, phone) && isAdmin(org, org.phones.get(phone)?.owner),
  );
  return (
    areAdmins && new Set(owners).size === owners.length && approvers.length === approvalsNeeded(org, by, act)
  );
}

interface Change {
  readonly policy?: PolicyModel;
  readonly people?: readonly (readonly [string, Person])[];
  readonly phones?: readonly (readonly [string, Phone])[];
  readonly offers?: readonly (readonly [string, Offer])[];
}

function changeBy(org: Org, { by, act, timeMs }: Attempt): Change | null {
  const own = org.phones.get(by)?.owner;
  const fresh = { owner: '', isActive: true, isWiped: false };
  const asAdmin = (change: Change | null): Change | null => (isAdmin(org, own) ? change : null);
  switch (act.kind) {
    case 'invite':
      return asAdmin(issued(org, act, { by, lets: { role: act.role }, timeMs }));
    case 'invite-device':
      if (!isPresent(org, act.owner) || !(own === act.owner || isAdmin(org, own))) return null;
      return issued(org, act, { by, lets: { owner: act.owner }, timeMs });
    case 'join': {
      const offer = openOffer(org, act, timeMs);
      if (offer === null || !('role' in offer.lets) || org.people.has(act.person)) return null;
      return {
        people: [[act.person, { role: offer.lets.role, since: org.size, isPresent: true }]],
        phones: [[by, { ...fresh, owner: act.person }]],
        offers: [[act.offer, { ...offer, isSpent: true }]],
      };
    }
    case 'add-device': {
      const offer = openOffer(org, act, timeMs);
      if (offer === null || !('owner' in offer.lets) || !isPresent(org, offer.lets.owner)) return null;
      return {
        phones: [[by, { ...fresh, owner: offer.lets.owner }]],
        offers: [[act.offer, { ...offer, isSpent: true }]],
      };
    }
    case 'revoke-device': {
      const phone = org.phones.get(act.phone);
      if (phone?.isActive !== true || !(phone.owner === own || isAdmin(org, own))) return null;
      return { phones: [[act.phone, { ...phone, isActive: false }]] };
    }
    case 'remove-member':
      return asAdmin(isPresent(org, act.person) ? removal(org, act.person) : null);
    case 'role': {
      const person = org.people.get(act.person);
      if (person?.isPresent !== true || person.role === act.role) return null;
      return asAdmin({ people: [[act.person, { ...person, role: act.role, since: org.size }]] });
    }
    case 'policy':
      return asAdmin(isSame(act.policy, org.policy) ? null : { policy: act.policy });
    case 'wipe':
      return wiped(org, own, act.target);
    case 'recovery': {
      if (act.key !== org.policy.recovery || act.policy.recovery === act.key) return null;
      if (org.people.has(act.person) || !act.removed.every((person) => isPresent(org, person))) return null;
      const removals = act.removed.map((person) => removal(org, person));
      return {
        policy: act.policy,
        people: [
          [act.person, { role: 'admin', since: org.size, isPresent: true }],
          ...removals.flatMap(({ people = [] }) => people),
        ],
        phones: [[by, { ...fresh, owner: act.person }], ...removals.flatMap(({ phones = [] }) => phones)],
      };
    }
  }
}

function issued(
  org: Org,
  { offer, expiresMs }: { readonly offer: string; readonly expiresMs: number },
  { by, lets, timeMs }: Pick<Offer, 'by' | 'lets'> & { readonly timeMs: number },
): Change | null {
  if (org.offers.has(offer) || expiresMs < timeMs) return null;
  return { offers: [[offer, { by, at: org.size, lets, expiresMs, isSpent: false }]] };
}

/** An invite ends with the rights of whoever gave it. */
function openOffer(
  org: Org,
  { offer: name, hasLink }: { readonly offer: string; readonly hasLink: boolean },
  timeMs: number,
): Offer | null {
  const offer = org.offers.get(name);
  if (offer === undefined || !hasLink || offer.isSpent || timeMs > offer.expiresMs) return null;
  if (!isActive(org, offer.by)) return null;
  const issuer = org.phones.get(offer.by)?.owner as string;
  const isOwnDevice = 'owner' in offer.lets && offer.lets.owner === issuer;
  return isOwnDevice || (org.people.get(issuer) as Person).since <= offer.at ? offer : null;
}

function removal(org: Org, person: string): Change {
  const phones = [...org.phones].filter(([, { owner }]) => owner === person);
  return {
    people: [[person, { ...(org.people.get(person) as Person), isPresent: false }]],
    phones: phones.map(([name, phone]) => [name, { ...phone, isActive: false }]),
  };
}

function wiped(org: Org, own: string | undefined, target: Target): Change | null {
  const reached = [...org.phones].filter(([name, { owner, isWiped }]) => {
    if (isWiped) return false;
    if ('phone' in target) return name === target.phone;
    return 'person' in target ? owner === target.person : !isAdmin(org, owner);
  });
  const isOwn = reached.every(([, { owner }]) => owner === own) && !('everyone' in target);
  if (reached.length === 0 || !(isOwn || isAdmin(org, own))) return null;
  return { phones: reached.map(([name, phone]) => [name, { ...phone, isActive: false, isWiped: true }]) };
}

function isPresent(org: Org, person: string): boolean {
  return org.people.get(person)?.isPresent ?? false;
}

function isSame(a: PolicyModel, b: PolicyModel): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
