import type { DeviceId } from '@keytide/crypto-core';
import type { Clock } from './clock.ts';

/** How often each device may do something, over all its connections. */
export interface DeviceRates {
  /** Takes one from the device's allowance; `false` when nothing is left of it. */
  admits(device: DeviceId): boolean;
}

interface Allowance {
  readonly left: number;
  readonly atMs: number;
}

/** Above so many, devices whose allowance is whole again are forgotten. */
const REMEMBERED = 20_000;

/** Gives each device `burst`, then `perSecond` a second. */
export function createDeviceRates(clock: Clock, burst: number, perSecond: number): DeviceRates {
  const allowances = new Map<DeviceId, Allowance>();

  function leftOf({ left, atMs }: Allowance, nowMs: number): number {
    // A clock that was set back must not drain what is left.
    return Math.min(burst, left + (Math.max(0, nowMs - atMs) / 1000) * perSecond);
  }

  function forget(nowMs: number): void {
    for (const [device, allowance] of allowances)
      if (leftOf(allowance, nowMs) >= burst) allowances.delete(device);
  }

  return {
    admits(device) {
      const nowMs = clock.now();
      if (allowances.size >= REMEMBERED) forget(nowMs);
      const left = leftOf(allowances.get(device) ?? { left: burst, atMs: nowMs }, nowMs);
      allowances.set(device, { left: left < 1 ? left : left - 1, atMs: nowMs });
      return left >= 1;
    },
  };
}
