import { collectDefaultMetrics, Registry } from 'prom-client';
import type { LogEvent } from '../log-event.ts';
import type { Relay } from '../relay.ts';
import { startRelay } from '../start-relay.ts';
import type { Config } from './config-schema.ts';
import { openSecrets, type OpenedSecrets } from './open-secrets.ts';
import { startManagement } from './management.ts';

/**
 * Runs a relay until SIGTERM or SIGINT, then lets go of everybody in good order. A second such signal ends the
 * process at once. SIGHUP has it read its certificate and its secrets again. Answers the exit code: 0, or 1 when `shutdownSeconds`
 * were not enough.
 * @throws RelayError as `startRelay` and `openSecrets`, and `address-in-use` for the management port
 */
export async function serve(config: Config): Promise<0 | 1> {
  const stop = signalled();
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  let relay: Relay | null = null;
  const management = await startManagement(config.managementHost, config.managementPort, {
    isStarted: () => relay !== null,
    isReady: async () => relay?.isReady() ?? false,
    metrics: async () => `${(await relay?.metrics()) ?? ''}${await registry.metrics()}`,
  });
  let secrets: OpenedSecrets | null = null;
  process.on('SIGHUP', () => {
    if (relay !== null) void secrets?.renew(relay);
  });
  log({ event: 'management', url: management.url });
  try {
    secrets = await openSecrets(config, process.env, log);
    const starting = startRelay(secrets.options);
    // A start that is broken off leaves nothing that the next one cannot take over, as after a crash.
    relay = await Promise.race([starting, stop.then(() => null)]);
    if (relay === null) return 0;
    await stop;
    return (await drainedInTime(relay, config)) ? 0 : 1;
  } finally {
    secrets?.close();
    await management.close();
  }
}

function signalled(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
}

async function drainedInTime(relay: Relay, { drainSeconds, shutdownSeconds }: Config): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), shutdownSeconds * 1000);
  });
  const isDrained = await Promise.race([relay.drain(drainSeconds * 1000).then(() => true), late]);
  clearTimeout(timer);
  if (!isDrained) log({ event: 'failed', where: 'drain', code: 'too-late' });
  return isDrained;
}

function log(event: LogEvent): void {
  process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), ...event })}\n`);
}
