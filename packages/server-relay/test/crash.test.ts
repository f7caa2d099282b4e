import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toBase64Url, toHex } from '@keytide/crypto-core';
import { headsOf, mapRoot, replay, treeRoot } from '@keytide/key-directory';
import { startRelay } from '@keytide/server-relay';
import { folderDatabase, seededWorld } from '@keytide/testkit';
import { expect, test } from 'vitest';
import { directoryReader } from './directory-reader.ts';
import { announceOf, appendOf } from './group.ts';
import { greet, seqsOf, type Line } from './line.ts';
import { appendLog, call, settle, tokenOf } from './relay-under-test.ts';
import { spawnRelay, type SpawnedRelay } from './spawned-relay.ts';

test('SIGKILL between acknowledgements loses nothing that was acknowledged', async () => {
  const seed = 'crash 1';
  const world = seededWorld({ seed, members: 1, startMs: Date.now() - 60_000 });
  const group = world.state.everyone;
  const device = world.members[0].devices[0];
  const folder = await mkdtemp(join(tmpdir(), 'keytide-crash-'));
  let relay: SpawnedRelay = await spawnRelay(folder);
  try {
    await settle(relay, world);
    const acknowledged = new Map<number, string>();
    const pending = new Map<number, ReturnType<typeof appendOf>>();
    for (let life = 0; life < 2; life += 1) {
      const line = await greet(relay, await tokenOf(relay, world.org, device));
      if (life === 0) {
        line.send(await announceOf(world, device, 0));
        await line.next('appended');
      }
      // What had no answer when the relay died is sent again, as a client does.
      for (const append of pending.values()) line.send(append);
      for (let i = 0; i < 40; i += 1) {
        const append = appendOf(world, 100 * life + i + 1, 1 + (i % 3));
        pending.set(append.requestId, append);
        line.send(append);
      }
      const wanted = (world.random(1)[0] as number) % 40;
      await takeAnswers(line, wanted, pending, acknowledged);
      await relay.kill();
      await line.ended;
      await takeAnswers(line, Infinity, pending, acknowledged).catch(() => undefined);
      relay = await spawnRelay(folder);
    }
    const line = await greet(relay, await tokenOf(relay, world.org, device));
    for (const append of pending.values()) line.send(append);
    await takeAnswers(line, pending.size, pending, acknowledged);
    line.send({ type: 'subscribe', group, afterSeq: 0 });
    await line.next('caught-up');
    const entries = line.frames.flatMap((frame) => (frame.type === 'entries' ? frame.entries : []));
    expect(seqsOf(line), `seed ${seed}`).toEqual(entries.map((_entry, i) => i + 1));
    for (const [seq, envelope] of acknowledged) expect(toHex(entries[seq - 1]!.bytes)).toBe(envelope);
    // Nothing twice: every entry but the statement was acknowledged under exactly one seq.
    expect(acknowledged.size).toBe(entries.length - 1);
    line.socket.terminate();
  } finally {
    await relay.kill();
    await rm(folder, { recursive: true, force: true });
  }
}, 120_000);

test('SIGKILL between entries of the membership log leaves an entry with all that proves it, or none', async () => {
  const seed = 'crash of a directory';
  const world = seededWorld({ seed, members: 40, startMs: Date.now() - 60_000 });
  const { org, primitives, wires } = world;
  const device = world.members[0].devices[0];
  const folder = await mkdtemp(join(tmpdir(), 'keytide-crash-'));
  let relay: SpawnedRelay = await spawnRelay(folder);
  try {
    const entry = toBase64Url(wires[0] as Uint8Array);
    await call(relay, 'POST', '/organisations', { body: { entry } });
    let acknowledged = 1;
    for (let life = 0; life < 2; life += 1) {
      const running = relay;
      const token = await tokenOf(running, org, device);
      const enough = acknowledged + 5 + ((world.random(1)[0] as number) % 10);
      while (acknowledged < enough) {
        expect((await appendLog(running, org, token, wires[acknowledged] as Uint8Array)).status).toBe(201);
        acknowledged += 1;
      }
      const last = appendLog(running, org, token, wires[acknowledged] as Uint8Array).catch(() => null);
      await new Promise((resolve) => setTimeout(resolve, (world.random(1)[0] as number) % 8));
      await relay.kill();
      if ((await last)?.status === 201) acknowledged += 1;

      relay = await spawnRelay(folder);
      const again = relay;
      const reader = await directoryReader(again, org, await tokenOf(again, org, device));
      const { size, root, mapRoot: heads } = await reader.checkpoint();
      expect(size - acknowledged, seed).toBeGreaterThanOrEqual(0);
      const state = replay(primitives, wires.slice(0, size));
      expect(toHex(root)).toBe(toHex(state.root));
      expect(toHex(heads as Uint8Array)).toBe(toHex(mapRoot(primitives, headsOf(primitives, state))));
      expect(toHex(await treeRoot(primitives, reader.source, size))).toBe(toHex(root));
      expect(await reader.bundle(0, size)).toEqual(wires.slice(0, size));
      expect((await reader.device(device.id)).head).not.toBeNull();
      acknowledged = size;
    }
  } finally {
    await relay.kill();
    await rm(folder, { recursive: true, force: true });
  }
}, 120_000);

test('a second relay on the same data folder is refused while the first lives, and takes over when it is dead', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'keytide-shared-'));
  const first = await spawnRelay(folder);
  try {
    await expect(spawnRelay(folder)).rejects.toMatchObject({
      code: 'data-folder-locked',
      message: expect.stringContaining(String(first.pid)),
    });
    const database = folderDatabase(folder);
    await expect(startRelay({ database, port: 0 })).rejects.toMatchObject({ code: 'data-folder-locked' });
    await first.kill();
    const second = await startRelay({ database, port: 0, log: () => undefined });
    await expect(startRelay({ database, port: 0 })).rejects.toMatchObject({ code: 'data-folder-locked' });
    await second.close();
  } finally {
    await first.kill();
    await rm(folder, { recursive: true, force: true });
  }
}, 60_000);

async function takeAnswers(
  line: Line,
  count: number,
  pending: Map<number, ReturnType<typeof appendOf>>,
  acknowledged: Map<number, string>,
): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    const { requestId, seqs } = await line.next('appended');
    const items = pending.get(requestId)?.items ?? [];
    seqs.forEach((seq, at) => acknowledged.set(seq, toHex(items[at]!.envelope)));
    pending.delete(requestId);
  }
}
