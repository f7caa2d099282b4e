import { startPostgres, type TestPostgres } from '@keytide/testkit';
import { startEjabberd } from './ejabberd.ts';
import { startInsert, startPooledInsert } from './insert.ts';
import { startOnPglite, startOnPostgres } from './keytide.ts';
import { openLoad } from './load.ts';
import { startMosquitto } from './mosquitto.ts';
import { startNats } from './nats.ts';
import { childrenNamed, processorTimeOf } from './processor.ts';
import type { Shape } from './crowds/crowd.ts';
import type { Side } from './rounds.ts';
import type { Service } from './service.ts';

/** Everything that is compared, running. */
export interface Field {
  readonly postgres: TestPostgres;
  /** Processor time of PostgreSQL so far, in ms. */
  readonly databaseMs: () => number;
  /** Opens a crowd for each of these that runs here. */
  sides(names: readonly string[], shape: Shape): Promise<readonly Side[]>;
  stop(): Promise<void>;
}

/** Where somebody else's servers come from. */
const PACKAGES = 'apt-get install -y --no-install-recommends ejabberd erlang-p1-pgsql nats-server mosquitto';

/**
 * Starts PostgreSQL, our relay on it and on PGlite, and every peer that is installed. Which one is missing is said, and
 * its figures are left out.
 */
export async function openField(): Promise<Field> {
  const postgres = await startPostgres();
  const databaseMs = sumOf(childrenNamed('postgres').map(processorTimeOf));
  const services: Service[] = [];
  const stop = async (): Promise<void> => {
    for (const service of services) await service.stop();
    await postgres.stop();
  };
  try {
    for (const start of [startOnPostgres, startOnPglite, startInsert, startPooledInsert])
      services.push(await start(postgres));
  } catch (error) {
    await stop();
    throw error;
  }
  const peers = { ejabberd: startEjabberd, 'NATS JetStream': startNats, Mosquitto: startMosquitto };
  for (const [name, start] of Object.entries(peers))
    await start(postgres).then(
      (service) => void services.push(service),
      (error: Error) => missing(name, error),
    );
  return {
    postgres,
    databaseMs,
    async sides(names, shape) {
      const sides: Side[] = [];
      for (const service of services) {
        const { name, pids } = service;
        if (!names.includes(name)) continue;
        try {
          const load = await openLoad(await service.target(shape), shape);
          sides.push({ name, load, serviceMs: sumOf(pids.map(processorTimeOf)) });
        } catch (error) {
          if (!Object.hasOwn(peers, name)) throw error;
          missing(name, error as Error);
        }
      }
      return sides;
    },
    stop,
  };
}

function missing(name: string, { message }: Error): void {
  console.error(`MISSING: ${name} (${message}). Its figures are left out. To install the peers: ${PACKAGES}`);
}

function sumOf(parts: readonly (() => number)[]): () => number {
  return () => parts.reduce((sum, part) => sum + part(), 0);
}
