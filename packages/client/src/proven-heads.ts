import type { DeviceId, MemberId } from '@keytide/crypto-core';
import {
  parseDeviceHead,
  parseMemberHead,
  readHeads,
  readKeys,
  type DeviceHead,
  type KnownHead,
  type MapCheckpoint,
  type MemberHead,
  type ProofTools,
  type ProvenKeys,
} from '@keytide/key-directory';
import { nameText, type KeptHead } from './proven-record.ts';

/** A member, present or past, proved. */
export interface ProvenMember extends MemberHead {
  readonly id: MemberId;
}

/** A device, present or past, proved, with its keys. */
export interface ProvenDevice extends DeviceHead, Omit<ProvenKeys, 'sealing'> {
  readonly id: DeviceId;
  /** The sealing key of the membership log: X-Wing, 1216 bytes, and its times. */
  readonly sealingKey: ProvenKeys['sealing'];
}

/**
 * The heads there are of these names under a checkpoint, with the keys of devices; keys that are known do not change.
 * @throws DirectoryError for an answer that proves nothing
 */
export async function proveHeads(
  proofs: ProofTools,
  checkpoint: MapCheckpoint,
  known: readonly Pick<KeptHead, 'name' | 'keys'>[],
): Promise<readonly KeptHead[]> {
  const names = known.map(({ name }) => name);
  const leaves = await readHeads(proofs, checkpoint, names);
  const found: KeptHead[] = [];
  for (const [i, { name, keys }] of known.entries()) {
    const leaf = leaves[i] as Uint8Array | null;
    if (leaf === null) continue;
    if (name.of === 'member') {
      parseMemberHead(leaf);
      found.push({ name, leaf, keys: null });
    } else {
      const head = parseDeviceHead(leaf);
      found.push({ name, leaf, keys: keys ?? (await readKeys(proofs, name.id, head)) });
    }
  }
  return found;
}

/** The heads of this device and whose it is, as an audit takes them; none where they are not kept. */
export function ownHeads(
  heads: ReadonlyMap<string, KeptHead>,
  device: DeviceId | null,
): readonly KnownHead[] {
  const own = device === null ? undefined : heads.get(nameText({ of: 'device', id: device }));
  if (own === undefined) return [];
  const head = parseDeviceHead(own.leaf);
  const member = heads.get(nameText({ of: 'member', id: head.member })) as KeptHead;
  return [
    { name: own.name, leaf: own.leaf, ...timesOf(head) },
    { name: member.name, leaf: member.leaf, ...timesOf(parseMemberHead(member.leaf)) },
  ];
}

/** What a kept head says of a device. */
export function deviceIn(id: DeviceId, { leaf, keys }: KeptHead): ProvenDevice {
  const { signingPublicKey, sealing: sealingKey } = keys as ProvenKeys;
  return { id, ...parseDeviceHead(leaf), signingPublicKey, sealingKey };
}

/** What a kept head says of a member. */
export function memberIn(id: MemberId, { leaf }: KeptHead): ProvenMember {
  return { id, ...parseMemberHead(leaf) };
}

function timesOf({ addedAt, since }: MemberHead | DeviceHead): Pick<KnownHead, 'addedAt' | 'since'> {
  return { addedAt, since };
}
