import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connect, defineOrganisation, memoryDeviceStore, sensitive, type Client } from '@keytide/client';
import { nodePorts } from '@keytide/client/node';
import { Secret } from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom as random } from '@keytide/crypto-core/node';
import { EMPTY_MAP_ROOT, headsOf, updateMap } from '@keytide/key-directory';
import { decodeClientFrame } from '@keytide/relay-protocol';
import { seededWorld, type SeededDevice } from '@keytide/testkit';
import { z } from 'zod';
import { clearPending, saveIdentity } from '../../../packages/client/src/identity.ts';
import { loadRelay } from '../directory/load-relay.ts';

const definition = defineOrganisation({ chat: sensitive.log(z.object({ text: z.string() })) });
const BLOCK_SECONDS = 30;
const BLOCK_MS = BLOCK_SECONDS * 1000;
const DAY_SECONDS = 86_400;
const MAIN = fileURLToPath(new URL('../directory/relay-main.ts', import.meta.url));

/** One real client of an organisation of many devices, with a real relay in another process. */
export interface Crowd {
  readonly client: Client<typeof definition>;
  /** Everybody's devices, with their secrets. */
  readonly devices: readonly SeededDevice[];
  /** The frames with which epochs were announced: their sizes in bytes, and for how many devices a box was in each. */
  readonly announced: readonly { readonly bytes: number; readonly boxes: number }[];
  /** A block is over: writes a message, for which a new epoch starts. Resolves when the relay has both. */
  rotate(): Promise<void>;
  close(): Promise<void>;
}

/** @param execArgv for the relay's process */
export async function openCrowd(
  size: number,
  execArgv: readonly string[] = process.execArgv,
): Promise<Crowd> {
  const startMs = Date.now() - 60_000;
  const policy = { blockSeconds: BLOCK_SECONDS, retentionSeconds: DAY_SECONDS, exportSeconds: DAY_SECONDS };
  const world = seededWorld({ seed: `a crowd of ${size}`, members: size, startMs, policy });
  const [founder] = world.members;
  const [device] = founder.devices;
  const folder = await mkdtemp(join(tmpdir(), 'keytide-crowd-'));
  const none = { readNode: () => Promise.resolve(null) };
  const map = await updateMap(primitives, none, EMPTY_MAP_ROOT, headsOf(primitives, world.state));
  const relaySeed = Buffer.from(random(32)).toString('hex');
  await loadRelay(
    folder,
    { org: world.org, relaySeed, adminSeeds: [] },
    {
      state: world.state,
      mapRoot: map.root,
      nodes: map.added,
      readWires: (start, end) => world.wires.slice(start, end),
    },
  );
  const relay = fork(MAIN, [folder], { execArgv: [...execArgv, '--expose-gc'] });
  const ended = once(relay, 'exit');
  const [{ url }] = (await once(relay, 'message')) as [{ url: string }];

  const store = memoryDeviceStore();
  const identity = {
    org: world.org,
    relayUrl: url,
    member: founder.id,
    signingSeed: Secret.own(device.signingSeed.slice()),
    sealingSeed: Secret.own(device.sealingSeed.slice()),
  };
  const pending = { kind: 'join', link: '', handle: null } as const;
  await saveIdentity(store.keys, identity, pending, null);
  await clearPending(store.keys, primitives, identity, pending);
  await (await store.journal('membership')).append(world.wires);
  let leaptMs = 0;
  const announced: { bytes: number; boxes: number }[] = [];
  class CountingSocket extends WebSocket {
    override send(data: Uint8Array<ArrayBuffer>): void {
      const frame = decodeClientFrame(data);
      if (frame.type === 'announce') announced.push({ bytes: data.length, boxes: frame.boxes.length });
      super.send(data);
    }
  }
  const clock = { ...nodePorts.clock, now: () => Date.now() + leaptMs };
  const client = await connect({
    definition,
    store,
    ports: { ...nodePorts, clock, WebSocket: CountingSocket },
  });
  // The relay reads and replays all of the log first.
  await client.online();

  return {
    client,
    devices: world.members.map(({ devices: [first] }) => first),
    announced,
    async rotate() {
      // To where the next block begins, so that no other one does while this is measured.
      leaptMs += BLOCK_MS - (clock.now() % BLOCK_MS);
      await client.collections.chat.append({ text: 'a new block' });
      await client.settled();
    },
    async close() {
      await client.close();
      relay.disconnect();
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
