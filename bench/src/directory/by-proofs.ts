import { equalBytes, memoryKeyStore, type DeviceId, type MemberId, type Signer } from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom as random } from '@keytide/crypto-core/node';
import {
  assembleNote,
  cosignature,
  parseCheckpointText,
  parseNote,
  settle,
  type DirectoryState,
} from '@keytide/key-directory';
import { ProvenDirectory } from '../../../packages/client/src/proven-directory.ts';
import type { RelayApi } from '../../../packages/client/src/relay-api.ts';

/** How many people a device keeps beside itself and the admins. */
export const CONTACTS = 20;

/** Has the relay's newest checkpoint cosigned by the device that is logged in. */
export async function cosign(api: RelayApi, signer: Signer): Promise<void> {
  const { text } = parseNote(await api.readCheckpoint());
  const line = cosignature(primitives, signer, parseCheckpointText(text), Math.floor(Date.now() / 1000));
  await api.handInCosignature(assembleNote(text, [line]));
}

/** A device that does not replay, and whom it keeps beside itself. */
interface ProofDevice {
  readonly directory: ProvenDirectory;
  readonly kept: readonly MemberId[];
}

/** From the relay's newest checkpoint on; itself, the admins and its contacts are looked up already. */
export async function openByProofs(
  api: RelayApi,
  state: DirectoryState,
  device: DeviceId,
): Promise<ProofDevice> {
  const anchor = await settle({ primitives, source: api }, await api.readCheckpoint(), []);
  const tools = { primitives, random, clock: Date, keyStore: memoryKeyStore(), api, device, replayLimit: 0 };
  const record = { anchor, firstSize: anchor.checkpoint.size, newestSeconds: 0 };
  const directory = new ProvenDirectory(tools, record, []);
  const ids = [...state.members.values()].map(({ id }) => id);
  const contacts = Array.from({ length: CONTACTS }, (_, i) => ids[Math.floor((i * ids.length) / CONTACTS)]);
  const kept = [...state.actingAdmins, ...(contacts as MemberId[])];
  await directory.self();
  await directory.members(kept);
  return { directory, kept };
}

/** Throws unless proofs led to the log that was replayed, and say of members what it says. */
export async function assertAgrees({ directory, kept }: ProofDevice, state: DirectoryState): Promise<void> {
  if (!equalBytes(directory.checkpoint.root, state.root))
    throw new Error('proofs lead to another log than a replay');
  for (const member of await directory.members(kept)) {
    const replayed = member === null ? undefined : state.members.get(member.id);
    if (replayed === undefined || member?.devices.join() !== replayed.activeDevices.join())
      throw new Error('proofs say something else of a member than a replay');
  }
}
