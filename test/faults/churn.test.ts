import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { createRemoveMember, createRevokeDevice } from '@keytide/key-directory';
import { seededWorld, type SeededDevice } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { announceOf, appendOf, envelopeOf } from '../../packages/server-relay/test/group.ts';
import { greet, seqsOf, type Line } from '../../packages/server-relay/test/line.ts';
import { appendLog, call, settle, tokenOf } from '../../packages/server-relay/test/relay-under-test.ts';
import { endChildren, startChild, type Child } from './child.ts';
import { createWireDevice, type WireDevice } from './cluster/device.ts';
import { createHistory } from './cluster/history.ts';
import { openPostgres } from './databases.ts';
import { logOfRelay } from './group-log.ts';
import { freePort } from './relay-process.ts';
import { createSchedule } from './schedule.ts';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts';

/** What happens in an hour of a busy organisation; `KEYTIDE_CHURN_ACTIONS=3600` takes some ten minutes. */
const ACTIONS = Number(process.env['KEYTIDE_CHURN_ACTIONS'] ?? 60);
/** `KEYTIDE_IDLE_SOCKETS=10000` needs as many open files on both ends. */
const SOCKETS = Number(process.env['KEYTIDE_IDLE_SOCKETS'] ?? 500);
/** Two writers and a reader stay; all others come and go. */
const STAYING = 3;
const MEMBERS = STAYING + 12;

const schedule = createSchedule('churn');
const world = seededWorld({
  seed: 'churn',
  members: MEMBERS,
  devicesPerMember: 2,
  startMs: Date.now() - 60_000,
});
const { org, random } = world;
const group = world.state.everyone;
const history = createHistory();
let under: Awaited<ReturnType<typeof openPostgres>>;
let proxy: TcpProxy;
let port: number;
let child: Child;
let direct: { readonly url: string; readonly name: string };
let door: typeof direct;

async function startRelay(): Promise<void> {
  const limits = { sockets: SOCKETS + 100, socketsOfDevice: SOCKETS };
  const argument = { database: under.database, port, publicUrl: 'http://relay.example', limits };
  child = startChild({ script: 'relay-main.ts', argument });
  await child.said('listening');
}

function device(member: number, which = 0): SeededDevice {
  return (world.members[member] as (typeof world.members)[0]).devices[which] as SeededDevice;
}

/** Until the relay has done it; it may be down, or the way to it. */
async function persist<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    try {
      return await work();
    } catch {
      await sleep(50);
    }
  }
  throw new Error('it never answers');
}

/** An entry of the founder; when it resolves, that is acknowledged. */
async function addEntry(wire: Uint8Array): Promise<void> {
  world.append(wire);
  await persist(async () => {
    const { status } = await appendLog(direct, org, await tokenOf(direct, org, device(0)), wire);
    if (status !== 201) throw new Error(String(status));
  });
}

beforeAll(async () => {
  under = await openPostgres();
  port = await freePort();
  proxy = await startTcpProxy(() => port);
  direct = { url: `http://127.0.0.1:${port}`, name: 'http://relay.example' };
  door = { url: `http://127.0.0.1:${proxy.port}`, name: 'http://relay.example' };
  await startRelay();
  await settle(direct, world);
  const line = await greet(direct, await tokenOf(direct, org, device(0)));
  line.send(await announceOf(world, device(0), 1));
  await line.next('appended');
  line.socket.terminate();
});
afterAll(async () => {
  await endChildren();
  await proxy?.close();
  await under?.remove();
});

test('nobody is shown anything wrong, and nothing is lost, while devices come, go and are removed', async () => {
  const known = new Map<string, WireDevice>();
  const wire = (of: SeededDevice): WireDevice => {
    const mine =
      known.get(of.id) ?? createWireDevice({ org, group, device: of, random, anyDoor: () => door, history });
    known.set(of.id, mine);
    return mine;
  };
  const staying = [wire(device(0)), wire(device(1)), wire(device(2))];
  for (const one of staying) await one.follow();
  let writing = true;
  const written = staying.slice(0, 2).map(async (writer) => {
    while (writing) {
      await writer.append(envelopeOf(world, 200));
      await sleep(schedule.anyScale(1, 50));
    }
  });
  let next = STAYING;
  const here: [member: number, which: number][] = [];
  const actions = {
    async join() {
      if (next === MEMBERS) return;
      for (const which of [0, 1]) {
        here.push([next, which]);
        void wire(device(next, which))
          .follow()
          .catch(() => undefined);
      }
      next += 1;
    },
    async remove() {
      const [member] = here[0] ?? [];
      if (member === undefined) return;
      const gone = here.filter(([of]) => of === member);
      here.splice(0, here.length, ...here.filter(([of]) => of !== member));
      const { id } = world.members[member] as (typeof world.members)[0];
      await addEntry(createRemoveMember({ ...world.as(device(0)), member: id }));
      for (const [of, which] of gone) history.barred(device(of, which).id);
    },
    async revoke() {
      const [member, which] = here.at(-1) ?? [];
      if (member === undefined || here.filter(([of]) => of === member).length < 2) return;
      here.pop();
      await addEntry(createRevokeDevice({ ...world.as(device(0)), device: device(member, which).id }));
      history.barred(device(member, which).id);
    },
    async logOut() {
      await persist(async () => {
        const token = await tokenOf(direct, org, device(0));
        const body = { which: 'device', device: device(2).id };
        await call(direct, 'POST', `/organisations/${org}/sessions/end`, { token, body });
      });
    },
    async kill() {
      await child.kill();
      await sleep(schedule.between(0, 200));
      await startRelay();
    },
    async network() {
      const kind = schedule.pick(['cut', 'swallow', 'delay', 'halfClose'] as const);
      if (kind === 'delay') proxy.delay(schedule.anyScale(1, 300));
      else proxy[kind]();
      await sleep(schedule.between(20, 300));
      proxy.mend();
    },
  };
  const often = ['join', 'join', 'join', 'remove', 'revoke', 'logOut', 'network', 'network'] as const;
  for (let count = 0; count < ACTIONS; count += 1) {
    await (count % 40 === 20 ? actions.kill() : actions[schedule.pick(often)]());
    await sleep(schedule.anyScale(5, 100));
  }
  writing = false;
  await Promise.all(written);
  const last = await (staying[0] as WireDevice).append(envelopeOf(world, 200));
  for (const one of staying) await expect.poll(() => one.cursor(), { timeout: 30_000 }).toBe(last);
  for (const one of known.values()) await one.stop();
  await child.kill();
  const log = await logOfRelay(under.database, org);
  console.log(`churn: ${ACTIONS} actions, ${history.acknowledgements()} acknowledged, ${next} members came`);
  expect(
    history.contradictions(
      log,
      staying.map(({ id }) => id),
    ),
  ).toEqual([]);
  expect(history.acknowledgements()).toBeGreaterThan(ACTIONS);
});

test('idle sockets cost little, are served at once, and are let go in good order', async () => {
  if (!child.running) await startRelay();
  const residentKb = async (): Promise<number> =>
    Number(/VmRSS:\s+(\d+) kB/.exec(await readFile(`/proc/${child.pid}/status`, 'utf8'))?.[1]);
  const token = await tokenOf(direct, org, device(1));
  const writer = await greet(direct, await tokenOf(direct, org, device(0)));
  const headSeq = await newestSeq(token);
  const lines: Line[] = [];
  async function connect(most: number): Promise<void> {
    while (lines.length < most) {
      const some = Array.from({ length: Math.min(50, most - lines.length) }, async () => {
        const line = await greet(direct, token);
        line.send({ type: 'subscribe', group, afterSeq: headSeq });
        await line.next('caught-up');
        return line;
      });
      lines.push(...(await Promise.all(some)));
    }
  }
  // The first ones bring what all share into memory.
  const first = SOCKETS / 5;
  await connect(first);
  const before = await residentKb();
  await connect(SOCKETS);
  const each = ((await residentKb()) - before) / (SOCKETS - first);
  console.log(`churn: ${SOCKETS} idle sockets, ${each.toFixed(1)} KiB each`);
  // Of a few hundred, most is what was not collected yet.
  expect(each).toBeLessThan(SOCKETS < 5_000 ? 160 : 32);

  writer.send(appendOf(world, 1, 3));
  const { seqs } = await writer.next('appended');
  for (const line of lines) await expect.poll(() => seqsOf(line), { timeout: 30_000 }).toEqual(seqs);
  expect((await call(direct, 'GET', `/organisations/${org}/log?from=0`, { token })).status).toBe(200);
  child.tell({ do: 'drain', spreadMs: 500 });
  expect(new Set(await Promise.all(lines.map(({ ended }) => ended)))).toEqual(new Set([1001]));
  await child.said('drained');
});

/** As a subscription tells it. */
async function newestSeq(token: string): Promise<number> {
  const line = await greet(direct, token);
  line.send({ type: 'subscribe', group, afterSeq: 0 });
  const { headSeq } = await line.next('caught-up');
  line.socket.terminate();
  return headSeq;
}
