import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { deviceIdOf, fromHex, type Signer } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { nodePorts } from '@keytide/client/node';
import type { DirectoryReplica } from '../../../packages/client/src/directory-replica.ts';
import { RelayApi } from '../../../packages/client/src/relay-api.ts';
import { assertAgrees, cosign, openByProofs } from './by-proofs.ts';
import type { Secrets } from './organisation.ts';

/** A relay's folder with a log, a device that has all of it, and what comes after, day by day. */
export interface RelayWorld {
  readonly replica: DirectoryReplica;
  readonly secrets: Secrets;
  readonly folder: string;
  readonly days: readonly (readonly Uint8Array[])[];
}

/** Times in ms. */
export interface MeasuredRelay {
  /** From the first log-in after a relay's start to its session: the relay reads and replays the log. */
  readonly firstLoginMs: number;
  /** What the relay holds for the organisation. */
  readonly relayBytes: number;
  /** How long a device that has just started took to log in, with nothing new: it makes its map. */
  readonly firstLookMs: number;
  /** How long the entries of each day took, one after another. */
  readonly appendMs: readonly number[];
  /** How long a device took to log in and to have the day's changes, verified. */
  readonly loginMs: readonly number[];
  /** What it got and sent meanwhile, without HTTP's own headers. */
  readonly loginBytes: readonly number[];
  /** The same for a device that replays nothing, and looks up itself, the admins and its contacts. */
  readonly proofMs: readonly number[];
  readonly proofBytes: readonly number[];
}

/** Days before the first that counts. */
export const WARM_UPS = 1;
const MAIN = fileURLToPath(new URL('relay-main.ts', import.meta.url));

/** Starts the relay on its folder, appends each day over HTTP, and logs the device in after it. */
export async function measureDays({ replica, secrets, folder, days }: RelayWorld): Promise<MeasuredRelay> {
  const relay = fork(MAIN, [folder], { execArgv: ['--expose-gc', '--max-old-space-size=6144'] });
  const ended = once(relay, 'exit');
  const died = ended.then(([code]) => Promise.reject(new Error(`the relay ended with ${code}`)));
  died.catch(() => {});
  const ask = async <T>(): Promise<T> => ((await Promise.race([once(relay, 'message'), died])) as [T])[0];
  const held = async (): Promise<number> => {
    relay.send({});
    return (await ask<{ heldBytes: number }>()).heldBytes;
  };
  const { url } = await ask<{ url: string }>();
  const before = await held();
  const signers = secrets.adminSeeds.map((seed) => primitives.signer(fromHex(seed) as Uint8Array));
  const counted = { bytes: 0 };
  const newApi = (signer = signers[0] as Signer): RelayApi => {
    const subject = { kind: 'device', id: deviceIdOf(primitives, signer.publicKey) } as const;
    const ports = { ...nodePorts, fetch: countingFetch(counted) };
    return new RelayApi(ports, url, secrets.org, { subject, signer });
  };

  const start = performance.now();
  const admin = newApi();
  while (!(await isIn(admin))) if (relay.exitCode !== null) await died;
  const firstLoginMs = performance.now() - start;
  const relayBytes = (await held()) - before;

  const looking = performance.now();
  await replica.pull(newApi());
  const firstLookMs = performance.now() - looking;

  const admins = signers.map((signer) => ({ signer, api: newApi(signer) }));
  const lightApi = newApi();
  const self = deviceIdOf(primitives, (signers[0] as Signer).publicKey);
  const light = await openByProofs(lightApi, replica.state, self);
  const appendMs: number[] = [];
  const byReplay = logIns(counted);
  const byProofs = logIns(counted);
  for (const day of days) {
    const appending = performance.now();
    for (const wire of day) await admin.appendLog(wire);
    appendMs.push(performance.now() - appending);
    for (const { api, signer } of admins) await cosign(api, signer);
    await byReplay.take(() => replica.pull(newApi()));
    lightApi.forgetSession();
    await byProofs.take(() => light.directory.refresh());
    await assertAgrees(light, replica.state);
  }
  relay.disconnect();
  await ended;
  return {
    firstLoginMs,
    relayBytes,
    firstLookMs,
    appendMs: appendMs.slice(WARM_UPS),
    loginMs: byReplay.ms.slice(WARM_UPS),
    loginBytes: byReplay.bytes.slice(WARM_UPS),
    proofMs: byProofs.ms.slice(WARM_UPS),
    proofBytes: byProofs.bytes.slice(WARM_UPS),
  };
}

/** What log-ins take, in time and bytes. */
function logIns(counted: { bytes: number }): {
  readonly ms: number[];
  readonly bytes: number[];
  take<T>(logIn: () => Promise<T>): Promise<T>;
} {
  const [ms, bytes]: [number[], number[]] = [[], []];
  return {
    ms,
    bytes,
    async take(logIn) {
      counted.bytes = 0;
      const start = performance.now();
      const result = await logIn();
      ms.push(performance.now() - start);
      bytes.push(counted.bytes);
      return result;
    },
  };
}

/** A device gives up after 20 seconds and tries again, while the relay goes on replaying. */
async function isIn(api: RelayApi): Promise<boolean> {
  try {
    await api.token();
    return true;
  } catch (error) {
    if ((error as { code?: string }).code === 'offline') return false;
    throw error;
  }
}

/** Counts the bodies of requests and answers. */
function countingFetch(counted: { bytes: number }): typeof globalThis.fetch {
  return async (input, init) => {
    if (typeof init?.body === 'string') counted.bytes += init.body.length;
    const answer = await fetch(input, init);
    const body = await answer.arrayBuffer();
    counted.bytes += body.byteLength;
    return new Response(body, answer);
  };
}
