import { type DeviceId, type MemberId, type Primitives } from '@keytide/crypto-core';
import {
  DirectoryError,
  parseWipeReceipt,
  verifyWipeReceipt,
  type WipeReceipt,
} from '@keytide/key-directory';
import { wipeReceiptsResponse } from '@keytide/relay-protocol';
import type { DirectoryReplica } from './directory-replica.ts';
import { ClientError } from './errors.ts';
import type { RelayApi } from './relay-api.ts';
import { wipeOrderIn } from './wipe.ts';

/** A device's own word that it has destroyed what it held. */
export interface WipeReceiptView {
  readonly device: DeviceId;
  readonly member: MemberId;
  /** The entry of the membership log that ordered it. */
  readonly order: number;
  /** By the device's own clock, milliseconds since 1970. */
  readonly destroyedMs: number;
}

/**
 * Every receipt that the relay has, each checked against this device's own log.
 * @throws ClientError `relay-misbehaved` for one that is none, with it as evidence; as `RelayApi.call`
 */
export async function readWipeReceipts(
  primitives: Primitives,
  api: RelayApi,
  directory: DirectoryReplica,
): Promise<WipeReceiptView[]> {
  const views: WipeReceiptView[] = [];
  let after: string | null = null;
  do {
    const query: string = after === null ? '' : `?after=${after}`;
    const { receipts, next } = await api.call('GET', `/wipe-receipts${query}`, wipeReceiptsResponse);
    for (const wire of receipts) views.push(viewOf(primitives, directory, wire));
    // A page that leads back would never end.
    if (next !== null && after !== null && next <= after)
      throw new ClientError('relay-misbehaved', 'the relay shows the same receipts again');
    after = next;
  } while (after !== null);
  return views;
}

function viewOf(primitives: Primitives, directory: DirectoryReplica, received: Uint8Array): WipeReceiptView {
  const refuse = (cause: unknown): ClientError =>
    new ClientError('relay-misbehaved', 'the relay shows a receipt that is none', {
      cause,
      evidence: [received],
    });
  try {
    const { org, devices } = directory.state;
    const device = devices.get(parseWipeReceipt(received).device);
    const order = device === undefined ? null : wipeOrderIn(directory, device.id);
    if (device === undefined || order === null) throw refuse(null);
    const receipt: WipeReceipt = verifyWipeReceipt(primitives, { org, device, wire: order.wire }, received);
    return { device: device.id, member: device.member, order: order.index, destroyedMs: receipt.destroyedMs };
  } catch (cause) {
    throw cause instanceof DirectoryError ? refuse(cause) : cause;
  }
}
