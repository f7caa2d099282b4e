import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Tell } from '../agent/agent-event.ts';
import { runAgent, runOnce, type AgentOptions, type AgentTime } from '../agent/agent.ts';
import { readAgentConfig, type AgentConfig } from '../agent/config.ts';
import { exportingDevice } from '../agent/exporting-device.ts';
import { healthOf, metricsOf } from '../agent/health.ts';
import { serveHealth } from '../agent/health-server.ts';
import { logFile } from '../agent/log-file.ts';
import { readReference } from '../agent/passphrase-reference.ts';
import { NEW_TIMETABLE } from '../agent/schedule.ts';
import { startOver } from '../agent/series.ts';
import { openMemory } from '../agent/state.ts';
import { readRecipients } from '../archive-recipients.ts';
import type { Context } from '../context.ts';
import { untilOnline, withDevice } from '../device.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { describeFailure } from '../failure.ts';
import { withAgentLock } from '../folder-lock.ts';
import { readPassphrase, type PassphraseSources } from '../passphrase.ts';
import { isoTime } from '../timestamps.ts';

/** How an agent is started. */
export interface AgentChoice {
  /** The file of its configuration. */
  readonly config: string;
  /** One round, now, whatever the schedule says. */
  readonly once?: true;
  /** The next archive is a full one, and due at once. Without `once` this is noted, and nothing else done. */
  readonly full?: true;
}

/** Another attempt would cost one of few, or find the same. */
const FINAL: ReadonlySet<string> = new Set([
  ...['wrong-passphrase', 'no-passphrase', 'secret-unusable', 'no-organisation', 'wiped', 'lease-over'],
  ...['vault-damaged', 'store-damaged', 'unlock-share-needed', 'not-a-member', 'login-refused'],
  ...['relay-forked', 'forked', 'rolled-back'],
]);

/** Somebody else has to do something. */
const WAITING: ReadonlySet<string> = new Set([
  ...['approval-needed', 'keys-missing', 'attachments-missing', 'begins-later'],
]);
const UNSOUND: ReadonlySet<string> = new Set(['unsound', 'copy-unsound', 'previous-unsound']);

const systemTime: AgentTime = {
  now: () => Date.now(),
  wait: (ms, signal) => sleep(ms, undefined, { signal }).catch(() => undefined),
  random: () => Math.random(),
};

/** `keytide agent`: archives on schedule, until it is told to stop; then it goes on at its next start. */
export async function keepArchiving(context: Context, choice: AgentChoice): Promise<ExitCode> {
  const config = await readAgentConfig(choice.config);
  const { home, signal, output } = context;
  return await withAgentLock(home, async () => {
    const memory = await openMemory(join(home, 'agent.json'), systemTime.now());
    if (choice.full) await memory.keep({ series: startOver(memory.state.series), table: NEW_TIMETABLE });
    if (choice.full && !choice.once) {
      // Neither the device nor its passphrase, which systemd may give to the service alone, is needed for it.
      output.result({ next: 'full' }, ['The next archive is a full one. Start the agent again.']);
      return EXIT.ok;
    }
    const tell = toldTo(context, config);
    const options: AgentOptions = {
      ...{ memory, time: systemTime, signal, tell, codeOf },
      schedule: { everyMs: config.every, offsetMs: config.at },
      choice: {
        ...config,
        needed: config.needed ?? config.destinations.length,
        recipients: await readRecipients(config.recipients),
        set: config.set ?? null,
      },
      isFinal: (error) => FINAL.has(codeOf(error)),
      withDevice: await deviceOpener(context, config, tell),
    };
    if (choice.once) return await once(context, config, options);
    return await untilStopped(config, options);
  });
}

async function once({ output }: Context, { every }: AgentConfig, options: AgentOptions): Promise<ExitCode> {
  const outcome = await runOnce(options, true);
  options.signal.throwIfAborted();
  const health = healthOf(options.memory.state, every, options.time.now());
  output.result(
    health,
    Object.entries(health).map(([name, value]) => `${name.padEnd(12)} ${shown(value)}`),
  );
  if (outcome?.cause instanceof Error) throw outcome.cause;
  const { code } = health;
  if (code === null) return EXIT.ok;
  if (WAITING.has(code)) return EXIT.refused;
  return UNSOUND.has(code) ? EXIT.unsound : EXIT.unexpected;
}

async function untilStopped(config: AgentConfig, options: AgentOptions): Promise<ExitCode> {
  const { memory, time, tell } = options;
  const { healthHost: host, healthPort: port } = config;
  const health = () => healthOf(memory.state, config.every, time.now());
  const pages = { health, metrics: () => metricsOf(memory.state, health()) };
  const served = port === null ? null : await serveHealth({ host, port }, pages);
  try {
    tell({ event: 'started', pending: memory.state.series.pending.length });
    if (served !== null) tell({ event: 'health', url: served.url });
    await runAgent(options);
    tell({ event: 'stopped' });
    return EXIT.ok;
  } finally {
    await served?.close();
  }
}

/** The device is open during a round only, so that other commands can use it in between. */
async function deviceOpener(
  context: Context,
  { passphrase: reference }: AgentConfig,
  tell: Tell,
): Promise<AgentOptions['withDevice']> {
  // A prompt, a file descriptor and the variable can be read once.
  const known = reference === undefined ? await readPassphrase(context.passphrase, 'unlock') : null;
  return async (work) => {
    const passphrase = givenAlone(known ?? (await readReference(reference ?? '', process.env)));
    // Names of members are not for a log.
    const output = { ...context.output, event: () => undefined, note: () => undefined };
    return await withDevice({ ...context, passphrase, output }, async (client) => {
      for (const kind of ['own-device', 'stolen-key'] as const)
        client.on(kind, () => tell({ event: 'alarm', kind }));
      await untilOnline(context, client);
      return await work(exportingDevice(client));
    });
  };
}

function givenAlone(passphrase: string): PassphraseSources {
  return { fd: null, env: { KEYTIDE_PASSPHRASE: passphrase }, findPrompt: () => null };
}

function toldTo(
  { output }: Context,
  { logFile: path, logBytes: maxBytes, logFiles: files }: AgentConfig,
): Tell {
  const append = path === undefined ? null : logFile({ path, maxBytes, files });
  return (event) => {
    const told = { time: isoTime(systemTime.now()), ...event };
    output.event(told);
    const line = JSON.stringify(told);
    if (append === null || !append(line)) output.note(line);
  };
}

function codeOf(error: unknown): string {
  return describeFailure(error).code;
}

function shown(value: unknown): string {
  return value === null ? '-' : typeof value === 'object' ? JSON.stringify(value) : String(value);
}
