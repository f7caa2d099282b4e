import {
  connect,
  defineOrganisation,
  sensitive,
  type Client,
  type DeviceStore,
  type Ports,
} from '@keytide/client';
import type { DeviceId, Primitives, Random } from '@keytide/crypto-core';
import { seededRandom } from '@keytide/testkit';
import { z } from 'zod';
import { Disk, type Mounted } from './disk.ts';
import type { Hours } from './hours.ts';
import { Line } from './line.ts';
import type { Wire } from './wire.ts';

const definition = defineOrganisation({ chat: sensitive.log(z.object({ text: z.string() })) });
export type App = Client<typeof definition>;
export interface AppOptions {
  readonly definition: typeof definition;
  readonly ports: Ports;
  readonly store: DeviceStore;
}

/** What everybody's phones stand on. */
export interface Ground {
  readonly primitives: Primitives;
  readonly hours: Hours;
  readonly wire: Wire;
  readonly seed: string;
}

interface Process {
  readonly app: App;
  readonly line: Line;
  readonly mounted: Mounted;
  end(): void;
}

/** One device: a disk, a clock that can be wrong, and while it is on, a process with a real client. */
export class Phone {
  readonly name: string;
  /** How its own clock is wrong. */
  aheadMs = 0;
  /** The latest time that its clock has shown while it was right or slow. */
  shownMs = 0;
  /** What its clock said when the relay last said the same. */
  agreedMs = 0;
  /** When the relay was last heard to keep its unlock share: by everybody's time, and by its own clock. */
  leased = { atMs: Infinity, shownMs: Infinity };
  id: DeviceId | null = null;
  /** How much of the group's log there was when it was last in step. */
  seenSeq = 0;
  /** How many messages it has given up, because their time was over before they were handed in. */
  unsent = 0;
  /** Why it did not take what the relay has shown it of access. */
  readonly rejected: string[] = [];
  readonly #ground: Ground;
  /** Whether its disk opens with the relay's help alone. */
  needsShare = false;
  readonly #disk = new Disk();
  readonly #random: Random;
  #process: Process | null = null;

  constructor(ground: Ground, name: string) {
    this.name = name;
    this.#ground = ground;
    this.#random = seededRandom(`${ground.seed} ${name}`);
  }

  get isOn(): boolean {
    return this.#process !== null;
  }

  get isCut(): boolean {
    return this.#process?.line.isCut ?? false;
  }

  /** @throws while it is off */
  get app(): App {
    if (this.#process === null) throw new Error(`${this.name} is off`);
    return this.#process.app;
  }

  /** Whether its clock is so far ahead that no relay believes it. */
  get isFast(): boolean {
    return this.aheadMs > HOUR_MS;
  }

  /** What its clock says. */
  get clockMs(): number {
    return this.#ground.hours.now() + this.aheadMs;
  }

  /** Turns it on; with `begin` for the first time. @throws ClientError `lease-over`, `wiped` */
  async turnOn(begin: (options: AppOptions) => Promise<App> = connect): Promise<void> {
    const { primitives, hours, wire } = this.#ground;
    const line = new Line(wire, this.name, {
      welcome: () => {
        if (Math.abs(this.aheadMs) <= AGREE_MS) this.agreedMs = hours.now();
      },
      lease: () => (this.leased = { atMs: hours.now(), shownMs: this.clockMs }),
    });
    const clock = hours.clock(() => this.aheadMs);
    let isOver = false;
    const ports: Ports = {
      primitives,
      random: this.#random,
      ...line.ports,
      clock: {
        now: clock.now,
        wait: async (ms, signal) => {
          await clock.wait(ms, signal);
          if (isOver) await new Promise(() => {});
        },
      },
    };
    const mounted = await this.#disk.mount(ports);
    // A vault that opens counts as the relay's word.
    if (this.needsShare) this.leased = { ...this.leased, shownMs: this.clockMs };
    const app = await begin({ definition, ports, store: mounted.store });
    this.id = app.device;
    app.on('unsent', ({ count }) => (this.unsent += count));
    app.on('access', (event) => {
      if (event.kind === 'rejected') this.rejected.push(`${event.what} ${event.code}`);
    });
    this.#process = { app, line, mounted, end: () => (isOver = true) };
  }

  /** Closes the app. */
  async turnOff(): Promise<void> {
    await this.#end()?.app.close();
  }

  /** Ends the process in the middle of what it does. */
  async kill(share: number): Promise<void> {
    const process = this.#end();
    process?.end();
    process?.line.cut();
    await process?.mounted.kill(share);
  }

  cut(): void {
    this.#process?.line.cut();
  }

  mend(): void {
    this.#process?.line.mend();
  }

  #end(): Process | null {
    const process = this.#process;
    this.#process = null;
    this.needsShare = process?.mounted.needsShare ?? this.needsShare;
    return process;
  }
}

const HOUR_MS = 3_600_000;
/** docs/spec/retention.md: how far the relay's time may be off and still say the same. */
const AGREE_MS = 600_000;
