import { equalBytes, type DeviceId, type Primitives } from '@keytide/crypto-core';
import { badProof } from '../bad-proof.ts';
import { parseEntry } from '../entry.ts';
import { inDirectoryTerms } from '../errors.ts';
import {
  parseDeviceHead,
  parseOrganisationHead,
  sealingHash,
  type DeviceHead,
  type OrganisationHead,
} from '../map/head.ts';
import { verifyLookup } from '../map/lookup.ts';
import { readNewDevice } from '../rules/new-device.ts';
import type { Device } from '../state.ts';
import { inParallel } from './in-parallel.ts';
import { headKey, requireEntry, type HeadName, type MapCheckpoint, type ProofTools } from './source.ts';

/** The keys of a device, which never change: those of the entry that brought it. */
export type ProvenKeys = Pick<Device, 'signingPublicKey' | 'sealing'>;

/** What the map holds for several names, in their order: a head's bytes, or `null`, proved, where it holds none. */
export function readHeads(
  { primitives, source }: ProofTools,
  { size, mapRoot }: MapCheckpoint,
  names: readonly HeadName[],
): Promise<readonly (Uint8Array | null)[]> {
  return inParallel(names, async (name) => {
    const proof = await source.readLookup(name, size);
    return verifyLookup(primitives, mapRoot, headKey(primitives, name), proof);
  });
}

/** The organisation's own head. @throws DirectoryError `bad-proof` where the map has none, and as `verifyLookup` */
export async function readOrganisation(
  tools: ProofTools,
  checkpoint: MapCheckpoint,
): Promise<OrganisationHead> {
  const [leaf] = await readHeads(tools, checkpoint, [{ of: 'organisation' }]);
  if (leaf === null || leaf === undefined) throw badProof('a map without a head of the organisation');
  return parseOrganisationHead(leaf);
}

/** A device's head; `null`, proved, for what was never a device. @throws DirectoryError as `verifyLookup` */
export async function readDevice(
  tools: ProofTools,
  checkpoint: MapCheckpoint,
  id: DeviceId,
): Promise<DeviceHead | null> {
  const [leaf] = await readHeads(tools, checkpoint, [{ of: 'device', id }]);
  return leaf === null || leaf === undefined ? null : parseDeviceHead(leaf);
}

/**
 * The keys behind a head. The signing key is bound by the device's id, the sealing key by the head, so the entry
 * they come in needs no proof of its own.
 * @throws DirectoryError `bad-proof`, `not-stored`, and as `parseEntry`
 */
export async function readKeys(
  { primitives, source }: ProofTools,
  id: DeviceId,
  head: Pick<DeviceHead, 'addedAt' | 'sealing'>,
): Promise<ProvenKeys> {
  const wire = await requireEntry(source, head.addedAt);
  const { id: found, signingPublicKey, sealing } = inDirectoryTerms(() => newDeviceIn(primitives, wire));
  const isSame =
    found === id && equalBytes(sealingHash(primitives, { device: id, ...sealing }), head.sealing);
  if (!isSame) throw badProof('the entry brings another device than the head says');
  return { signingPublicKey, sealing };
}

function newDeviceIn(primitives: Primitives, wire: Uint8Array): Pick<Device, 'id'> & ProvenKeys {
  const { body, timeMs } = parseEntry(primitives, wire);
  if (!('deviceRecord' in body)) throw badProof('the entry brings no device');
  return readNewDevice(primitives, body, timeMs).device;
}
