import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeUtf8, type Signer } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import type { Ports } from '@keytide/client';
import { nodePorts } from '@keytide/client/node';
import {
  assembleNote,
  checkpointText,
  cosignature,
  createInvite,
  formatInviteLink,
  parseCheckpointText,
  parseNote,
} from '@keytide/key-directory';
import { startRelay, type Relay } from '@keytide/server-relay';
import {
  folderDatabase,
  type SeededDevice,
  seededRandom,
  seededWorld,
  type SeededWorld,
} from '@keytide/testkit';
import { appendLog, call, settle, tokenOf } from '../../packages/server-relay/test/relay-under-test.ts';

/** An organisation on a relay whose key the test has, with devices that cosign when the test says so. */
export interface LargeOrganisation {
  readonly world: SeededWorld;
  readonly relay: Relay;
  /** The relay's key. */
  readonly relaySigner: Signer;
  /** Ports that tell the world's time. `alter` makes another answer of an answer's bytes; `path` says to what. */
  ports(alter?: Alter): Ports;
  /** Hands in what the world's log has more. */
  push(): Promise<void>;
  /** Takes over what others have added to the log. */
  pull(): Promise<void>;
  /** The devices cosign the newest checkpoint, now. */
  cosign(...devices: readonly SeededDevice[]): Promise<void>;
  /** The newest checkpoint's note. */
  newestNote(): Promise<Uint8Array>;
  /** An invite by this device, in the log, as a link. */
  link(by: SeededDevice): Promise<string>;
  close(): Promise<void>;
}

export type Alter = (bytes: Uint8Array, path: string) => Uint8Array;

const RELAY_SEED = seededRandom('the relay of a large organisation')(32);

/** Five members, the first three of them admins, of whom two have to be witnesses. */
export async function largeOrganisation(seed: string): Promise<LargeOrganisation> {
  const relaySigner = primitives.signer(RELAY_SEED);
  const policy = {
    blockSeconds: 86_400,
    retentionSeconds: 86_400,
    exportSeconds: 86_400,
    relayKey: relaySigner.publicKey,
    witnesses: { needed: 2, maxAgeSeconds: 3600 },
  };
  const world = seededWorld({ seed, members: 5, admins: 3, policy });
  const folder = await mkdtemp(join(tmpdir(), 'keytide-large-'));
  await writeFile(join(folder, 'relay-key'), RELAY_SEED, { mode: 0o600 });
  const relay = await startRelay({
    database: folderDatabase(folder),
    port: 0,
    clock: world.clock,
    log: () => {},
  });
  let token = await settle(relay, world);
  let pushed = world.state.size;
  const at = `/organisations/${world.org}`;
  const founder = world.members[0].devices[0];

  async function newestNote(): Promise<Uint8Array> {
    token = await tokenOf(relay, world.org, founder);
    const headers = { authorization: `Bearer ${token}` };
    const response = await fetch(`${relay.url}/v1${at}/log/checkpoint`, { headers });
    return new Uint8Array(await response.arrayBuffer());
  }

  async function push(): Promise<void> {
    token = await tokenOf(relay, world.org, founder);
    for (const wire of world.wires.slice(pushed)) {
      const { status, body } = await appendLog(relay, world.org, token, wire);
      if (status !== 201) throw new Error(`push: ${status} ${body.code} ${body.reason}`);
    }
    pushed = world.wires.length;
  }

  return {
    world,
    relay,
    relaySigner,
    newestNote,
    push,
    ports: (alter) => ({
      ...nodePorts,
      clock: { ...nodePorts.clock, now: () => world.clock.now() },
      fetch: alter === undefined ? nodePorts.fetch : altering(alter),
    }),
    async pull() {
      const { body } = await call(relay, 'GET', `${at}/log?from=${pushed}`, {
        token: await tokenOf(relay, world.org, founder),
      });
      const { entries } = body as unknown as { entries: readonly string[] };
      for (const entry of entries) world.append(Uint8Array.from(Buffer.from(entry, 'base64url')));
      pushed = world.wires.length;
    },
    async cosign(...devices) {
      const checkpoint = parseCheckpointText(parseNote(await newestNote()).text);
      for (const { signer, ...device } of devices) {
        const line = cosignature(primitives, signer, checkpoint, Math.floor(world.clock.now() / 1000));
        const note = decodeUtf8(assembleNote(checkpointText(checkpoint), [line]));
        const as = await tokenOf(relay, world.org, { signer, ...device });
        const { status } = await call(relay, 'POST', `${at}/log/cosignatures`, { token: as, body: { note } });
        if (status !== 201) throw new Error(`cosign: ${status}`);
      }
    },
    async link(by) {
      const expiresMs = world.clock.now() + 3_600_000;
      const context = { ...world.as(by), random: world.random, role: 'member' as const, expiresMs };
      const { wire, seed: secret } = createInvite(context);
      const { size, root } = world.append(wire);
      await push();
      return formatInviteLink({
        relayUrl: relay.url,
        org: world.org,
        checkpoint: { size, root },
        seed: secret,
      });
    },
    async close() {
      await relay.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function altering(alter: Alter): typeof globalThis.fetch {
  return async (input, init) => {
    const response = await nodePorts.fetch(input, init);
    const { pathname, search } = new URL(input as string);
    const bytes = alter(new Uint8Array(await response.arrayBuffer()), pathname + search);
    return new Response(Buffer.from(bytes), { status: response.status });
  };
}
