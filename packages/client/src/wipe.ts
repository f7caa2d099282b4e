import { toBase64Url, type DeviceId, type OrgId, type Signer } from '@keytide/crypto-core';
import { createWipeReceipt } from '@keytide/key-directory';
import { wipeReceiptResponse } from '@keytide/relay-protocol';
import type { DirectoryReplica } from './directory-replica.ts';
import { ClientError } from './errors.ts';
import { passes, reasonOf } from './failure.ts';
import type { DeviceStore, Ports } from './ports.ts';
import type { RelayApi } from './relay-api.ts';

/** The entry of the membership log that tells this device to destroy what it holds. */
export interface WipeOrder {
  readonly index: number;
  /** As it travelled. */
  readonly wire: Uint8Array;
}

/** Who carries out an order. The signer stays in memory until the receipt is handed in, and no longer. */
export interface WipeTools {
  readonly ports: Ports;
  readonly api: RelayApi;
  readonly store: Pick<DeviceStore, 'destroy'>;
  readonly org: OrgId;
  readonly device: DeviceId;
  readonly signer: Signer;
}

const BACKOFF_MS = { first: 1000, most: 300_000 };

/**
 * The order to this device in the log that it has replayed itself, or `null`. There is no other way to learn of one:
 * what a relay says, or refuses, destroys nothing.
 */
export function wipeOrderIn(directory: DirectoryReplica, device: DeviceId): WipeOrder | null {
  if (directory.size === 0) return null;
  const index = directory.state.devices.get(device)?.wipedAt ?? null;
  return index === null ? null : { index, wire: directory.wires(index, index + 1)[0] as Uint8Array };
}

/** Destroys what this device holds, and answers the receipt for it. @throws ClientError `store-damaged`; the next start finishes */
export async function carryOut(tools: WipeTools, { index, wire }: WipeOrder): Promise<Uint8Array> {
  const { ports, store, org, device, signer } = tools;
  try {
    await store.destroy();
  } catch (cause) {
    throw new ClientError('store-damaged', 'what this device was told to destroy is not all gone', { cause });
  }
  const destroyedMs = ports.clock.now();
  return createWipeReceipt(ports.primitives, signer, { org, device, order: index, wire, destroyedMs });
}

/**
 * Finishes what was ordered before this device was opened: a crash came in between. Says so once, if the relay is there.
 * @throws ClientError `wiped` where there is an order, `store-damaged`
 */
export async function obeyStored(tools: WipeTools, directory: DirectoryReplica): Promise<void> {
  const order = wipeOrderIn(directory, tools.device);
  if (order === null) return;
  const receipt = await carryOut(tools, order);
  await send(tools.api, receipt).catch(() => null);
  throw wiped();
}

/** Hands in a receipt: once at least, then until the relay has it, will not have it, or `signal` is aborted. Never rejects. */
export async function handIn(
  { ports, api }: Pick<WipeTools, 'ports' | 'api'>,
  receipt: Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  // The session of before ended with the order.
  api.forgetSession();
  let backoffMs = BACKOFF_MS.first;
  do {
    try {
      return await send(api, receipt);
    } catch (error) {
      if (!passes(reasonOf(error))) return;
    }
    await ports.clock.wait(backoffMs, signal);
    backoffMs = Math.min(2 * backoffMs, BACKOFF_MS.most);
  } while (!signal.aborted);
}

async function send(api: RelayApi, receipt: Uint8Array): Promise<void> {
  await api.call('POST', '/wipe-receipts', wipeReceiptResponse, { receipt: toBase64Url(receipt) });
}

/** Why nothing can be done here any more. */
export function wiped(): ClientError {
  return new ClientError('wiped', 'this device was told to destroy what it held, and has');
}
