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
  id: DeviceId | null = null;
  /** How many messages it has given up, because their time was over before they were handed in. */
  unsent = 0;
  readonly #ground: Ground;
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

  /** Turns it on; with `begin` for the first time. */
  async turnOn(begin: (options: AppOptions) => Promise<App> = connect): Promise<void> {
    const { primitives, hours, wire } = this.#ground;
    const line = new Line(wire, this.name);
    const mounted = this.#disk.mount();
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
    const app = await begin({ definition, ports, store: mounted.store });
    this.id = app.device;
    app.on('unsent', ({ count }) => (this.unsent += count));
    this.#process = { app, line, mounted, end: () => (isOver = true) };
  }

  /** Closes the app. */
  async turnOff(): Promise<void> {
    const process = this.#process;
    this.#process = null;
    await process?.app.close();
  }

  /** Ends the process in the middle of what it does. */
  async kill(share: number): Promise<void> {
    const process = this.#process;
    this.#process = null;
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
}
