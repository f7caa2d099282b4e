import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { connect, type ClientOptions, type DeviceStore, type SyncState } from '@keytide/client';
import { nodePorts, openFileDeviceStore, wasHomeDestroyed } from '@keytide/client/node';
import type { Context } from './context.ts';
import { CliError } from './errors.ts';
import { EXIT } from './exit-codes.ts';
import { noteIdentities } from './note-identities.ts';
import { organisation, type Keytide } from './organisation.ts';
import { readPassphrase } from './passphrase.ts';
import { patiently } from './patience.ts';

type Options = ClientOptions<typeof organisation>;

/** How long closing may take before the process ends anyway. */
const CLOSE_MS = 5000;
/** How long to look for cosignatures before saying that there are too few. */
const WITNESSES_MS = 3000;

/**
 * Opens this device, works with it and closes it, whatever happens.
 * @throws CliError `no-organisation` or `wiped`, before asking for a passphrase
 */
export async function withDevice<T>(context: Context, work: (client: Keytide) => Promise<T>): Promise<T> {
  if (!hasVault(context)) {
    if (await wasHomeDestroyed(context.home))
      throw new CliError(
        'wiped',
        EXIT.refused,
        `the device under ${context.home} was told to destroy what it held, and has`,
        'Ask an admin for a new invite and join again; the same --home will do.',
      );
    throw new CliError(
      'no-organisation',
      EXIT.usage,
      `no organisation under ${context.home}`,
      'Run `keytide org create` or `keytide join` first, or give another --home.',
    );
  }
  return withNewDevice(context, connect, work);
}

/** As `withDevice`, with `enter` making or continuing a device; the first time the passphrase is typed twice. */
export async function withNewDevice<T>(
  context: Context,
  enter: (options: Options) => Promise<Keytide>,
  work: (client: Keytide) => Promise<T>,
): Promise<T> {
  const passphrase = await readPassphrase(context.passphrase, hasVault(context) ? 'unlock' : 'create');
  const store = await openFileDeviceStore({ home: context.home, passphrase });
  const client = await entered(context, store, enter);
  noteIdentities(context, client);
  try {
    return await patiently(work(client), { ...context, timeoutMs: Infinity, progress: () => null });
  } finally {
    await soon(client.close());
  }
}

/**
 * Waits until this device has caught up: as long as there is progress, and not at all for a relay that
 * cannot be connected to. @throws CliError `unreachable`
 */
export async function untilOnline(context: Context, client: Keytide): Promise<void> {
  const refusal = new AbortController();
  const look = (state: SyncState): void => {
    // Whatever happens to a connection that was there is for the timeout.
    if (state.kind === 'catching-up') stop();
    if (state.kind === 'offline' && state.reason?.code === 'offline')
      refusal.abort(unreachable(state.reason));
  };
  const stop = client.on('state', look);
  look(client.state);
  const signal = AbortSignal.any([context.signal, refusal.signal]);
  try {
    await patiently(client.online(), { ...context, signal, progress: () => progressOf(client) });
  } finally {
    stop();
  }
}

/** Gives this device the moments that it takes to learn who has cosigned; too few is an answer. */
export async function untilWitnessed({ signal }: Context, client: Keytide): Promise<void> {
  const endMs = Date.now() + WITNESSES_MS;
  while (client.state.kind === 'online' && !client.witnesses.isMet && Date.now() < endMs)
    await wait(100, undefined, { signal });
}

/** Waits until the relay has everything that was written here. @throws CliError `queued` when it does not answer */
export async function untilSettled(context: Context, client: Keytide, onLook?: () => void): Promise<void> {
  const progress = (): string => {
    onLook?.();
    return `${progressOf(client)} ${client.waiting}`;
  };
  try {
    await patiently(client.settled(), { ...context, progress });
    onLook?.();
  } catch (error) {
    if (!(error instanceof CliError && error.code === 'unreachable')) throw error;
    const message = `${error.message}; what you wrote is kept on this device (${client.waiting} waiting)`;
    const next =
      'It goes out by itself the next time keytide runs, for example `keytide status`; do not enter it again.';
    throw new CliError('queued', EXIT.unreachable, message, next);
  }
}

async function entered(
  context: Context,
  store: DeviceStore,
  enter: (options: Options) => Promise<Keytide>,
): Promise<Keytide> {
  const entering = enter({ definition: organisation, store, ports: nodePorts });
  try {
    return await patiently(entering, { ...context, progress: () => null });
  } catch (error) {
    await soon(store.close());
    throw error;
  }
}

function hasVault({ home }: Context): boolean {
  return existsSync(join(home, 'vault'));
}

function progressOf({ state }: Keytide): string {
  return state.kind === 'catching-up' ? `${state.done}` : state.kind === 'online' ? 'online' : 'away';
}

function unreachable({ message }: Error): CliError {
  return new CliError(
    'unreachable',
    EXIT.unreachable,
    message,
    'Check its address and the network, and try again.',
  );
}

async function soon(closing: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, CLOSE_MS);
  });
  await Promise.race([closing, late]);
  clearTimeout(timer);
}
