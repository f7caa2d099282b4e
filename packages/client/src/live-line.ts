import type { DeviceId } from '@keytide/crypto-core';
import type { Body } from './body.ts';
import type { SteadyTime } from './steady-time.ts';

/** One live value, as it travels. */
export interface LiveDraft {
  readonly collection: string;
  readonly room: string;
  readonly body: Body;
  readonly maxAgeMs: number;
}

/** What a live collection says things over. */
export interface LiveLine {
  readonly time: SteadyTime;
  /**
   * Says it to whoever is connected, under the newest epoch; answers whether it has left this device.
   * @throws ClientError `too-large`, and as writing does
   */
  send(draft: LiveDraft): Promise<boolean>;
  /** Whether this device may still speak. */
  isActive(device: string): boolean;
}

/** A live value of another device, authentic and fresh. */
export interface LiveArrival {
  readonly device: DeviceId;
  readonly member: string;
  readonly handle: string;
  readonly room: string;
  readonly sentMs: number;
  readonly maxAgeMs: number;
  readonly body: Body;
}
