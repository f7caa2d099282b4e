import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { createOrganisation, join, memoryDeviceStore } from '@keytide/client';
import type { Policy } from '@keytide/key-directory';
import { answer, end, start } from './child.ts';
import { definition, leapingPorts, type App } from './definition.ts';

export const DAY_SECONDS = 86_400;
export const DAY_MS = DAY_SECONDS * 1000;
const TEXT = 'x'.repeat(1_000);

/** An organisation with a real relay in a process of its own. Its days pass when they are told to. */
export interface Organisation {
  /** Of the relay, and of devices in processes of their own. It goes with the organisation. */
  readonly folder: string;
  /** An admin's. */
  readonly founder: App;
  /** Another member's device, which keeps what it has in memory; or another device of the member that invites. */
  join(link: string, handle?: string): Promise<App>;
  /** A day later for the relay and for the devices here; resolves when they are connected again. */
  leapDay(): Promise<void>;
  close(): Promise<void>;
}

/** @param policy but for the block, which is a day */
export async function openOrganisation(policy: Omit<Policy, 'blockSeconds'>): Promise<Organisation> {
  const folder = await mkdtemp(joinPath(tmpdir(), 'keytide-lifecycle-'));
  const relay = start('relay-main.ts', joinPath(folder, 'relay'));
  const apps: App[] = [];
  async function close(): Promise<void> {
    for (const app of apps) await app.close();
    await end(relay);
    await rm(folder, { recursive: true, force: true });
  }
  try {
    const { url } = await answer<{ url: string }>(relay);
    const { ports, leap } = leapingPorts();
    const options = () => ({ definition, ports, store: memoryDeviceStore() });
    const founding = { relayUrl: url, handle: 'founder', policy: { blockSeconds: DAY_SECONDS, ...policy } };
    const founder = await createOrganisation({ ...options(), ...founding });
    apps.push(founder);
    return {
      folder,
      founder,
      async join(link, handle) {
        const app = await join({ ...options(), link, ...(handle === undefined ? {} : { handle }) });
        apps.push(app);
        return app;
      },
      async leapDay() {
        // Their sessions end with the day, and who is out of reach writes on under the old key.
        for (const app of apps) app.pause();
        leap(DAY_MS);
        relay.send(DAY_MS);
        await answer(relay);
        for (const app of apps) app.resume();
        for (const app of apps) await app.online();
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Everybody in turn writes messages of 1 KB that begin with `mark`, so many in all; resolves when the relay has them. */
export async function write(writers: readonly App[], count: number, mark = ''): Promise<void> {
  const share = Math.ceil(count / writers.length);
  const text = mark + TEXT.slice(mark.length);
  await Promise.all(
    writers.map(async (writer, i) => {
      const own = Math.min(share, count - i * share);
      for (let n = 0; n < own; n += 1) await writer.collections.chat.append({ text });
      await writer.settled();
    }),
  );
}
