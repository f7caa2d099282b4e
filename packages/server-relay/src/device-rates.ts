import type { DeviceId, OrgId } from '@keytide/crypto-core';
import type { Device } from '@keytide/key-directory/verify';
import type { Clock } from './clock.ts';
import { UNSHARED, type ShareRate } from './rate-sharing.ts';

/** How often each device may do something, over all its connections. */
export interface DeviceRates {
  /** Takes one from the device's allowance; `false` when nothing is left of it. */
  admits(device: DeviceId): boolean;
}

interface Allowance {
  readonly left: number;
  readonly atMs: number;
}

/** Above so many, those whose allowance is whole again are forgotten. */
const REMEMBERED = 20_000;

/** Whose share is taken from. Whoever founds an organisation names its members: a share is of one in its organisation. */
export interface Sharer {
  readonly org: OrgId;
  readonly device: Pick<Device, 'id' | 'member'>;
}

/** How often each device, and all devices of a member together, may do something. */
export interface MemberRates {
  /** Takes one from both allowances; `false` when nothing is left of either. */
  admits(sharer: Sharer): boolean;
  /** Takes one from both in any case: after how many milliseconds it is there, 0 when it was, `MOST_WAIT_MS` at most. */
  takes(sharer: Sharer): number;
}

/** How long whoever has taken more than there was waits at most: a fraction of what a client waits for a sign of life. */
export const MOST_WAIT_MS = 2_000;

/** Gives each device `burst`, then `perSecond` a second, and all of a member twice that: one of them never has it all. */
export function createMemberRates(
  clock: Clock,
  burst: number,
  perSecond: number,
  share: { readonly ofDevice: ShareRate; readonly ofMember: ShareRate } = ALONE,
): MemberRates {
  const ofDevice = createKeyedRates(clock, burst, perSecond, share.ofDevice);
  const ofMember = createKeyedRates(clock, 2 * burst, 2 * perSecond, share.ofMember);
  return {
    admits: ({ org, device: { id, member } }) =>
      ofDevice.admits(`${org} ${id}`) && ofMember.admits(`${org} ${member}`),
    takes: ({ org, device: { id, member } }) =>
      Math.max(ofDevice.takes(`${org} ${id}`), ofMember.takes(`${org} ${member}`)),
  };
}

/** Gives each device `burst`, then `perSecond` a second. */
export function createDeviceRates(
  clock: Clock,
  burst: number,
  perSecond: number,
  share: ShareRate = UNSHARED,
): DeviceRates {
  return createKeyedRates<DeviceId>(clock, burst, perSecond, share);
}

const ALONE = { ofDevice: UNSHARED, ofMember: UNSHARED };

/** Gives each id `burst`, then `perSecond` a second. There may be no more ids than a hostile caller can make. */
export function createKeyedRates<Id extends string>(
  clock: Clock,
  burst: number,
  perSecond: number,
  share: ShareRate,
): { admits(id: Id): boolean; takes(id: Id): number } {
  const allowances = new Map<Id, Allowance>();
  const told = share((id, count) => void take(id as Id, count));

  function leftOf({ left, atMs }: Allowance, nowMs: number): number {
    // A clock that was set back must not drain what is left.
    return Math.min(burst, left + (Math.max(0, nowMs - atMs) / 1000) * perSecond);
  }

  function forget(nowMs: number): void {
    for (const [id, allowance] of allowances) if (leftOf(allowance, nowMs) >= burst) allowances.delete(id);
  }

  /** As much of it as there is; whether there was one. */
  function take(id: Id, count: number): boolean {
    const nowMs = clock.now();
    if (allowances.size >= REMEMBERED) forget(nowMs);
    const left = leftOf(allowances.get(id) ?? { left: burst, atMs: nowMs }, nowMs);
    allowances.set(id, { left: left < 1 ? left : Math.max(0, left - count), atMs: nowMs });
    return left >= 1;
  }

  return {
    admits(id) {
      const isAdmitted = take(id, 1);
      if (isAdmitted) told(id);
      return isAdmitted;
    },
    takes(id) {
      const isThere = take(id, 1);
      told(id);
      if (isThere) return 0;
      const { left, atMs } = allowances.get(id) as Allowance;
      // What is owed is never more than comes back in that time, whoever took it.
      allowances.set(id, { left: Math.max(left - 1, (-MOST_WAIT_MS / 1000) * perSecond), atMs });
      return Math.min(((1 - left) / perSecond) * 1000, MOST_WAIT_MS);
    },
  };
}
