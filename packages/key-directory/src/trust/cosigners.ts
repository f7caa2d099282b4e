import { deviceId, type DeviceId, type MemberId } from '@keytide/crypto-core';
import { deviceNoteKey, deviceNoteName } from '../note/key.ts';
import type { SignedNote } from '../note/note.ts';
import { witnessesOf } from '../note/witnesses.ts';
import { readDevice, readKeys } from './read-heads.ts';
import type { MapCheckpoint, ProofTools } from './source.ts';

/** An admin's device whose cosignature counts. */
export interface Cosigner {
  readonly member: MemberId;
  readonly device: DeviceId;
  /** Ed25519, 32 bytes. */
  readonly signingPublicKey: Uint8Array;
  /** When it cosigned, in seconds since 1970. */
  readonly timeSeconds: number;
}

/** Whose cosignatures are looked for. */
export interface CosignerSearch {
  /** The maps in which the device has to be an active admin's. */
  readonly under: readonly MapCheckpoint[];
  /** Devices whose keys are known, and that are active admins' in the first of these maps. */
  readonly known: readonly Cosigner[];
  /** After so many members the search ends. */
  readonly needed: number;
  readonly maxAgeSeconds: number;
  readonly nowSeconds: number;
  /** As for `witnessesOf`. */
  readonly latestSeconds?: number;
}

/**
 * The admins who have cosigned a note lately, each member once, at most as many as are needed. Who is an admin, and
 * with which key, is proved under the given maps.
 * @throws DirectoryError `bad-signature` for a line in an admin's name that does not hold; as `verifyLookup`
 */
export async function cosignersOf(
  tools: ProofTools,
  note: SignedNote,
  search: CosignerSearch,
): Promise<readonly Cosigner[]> {
  const found: Cosigner[] = [];
  for (const device of devicesIn(note, search.known)) {
    if (found.length >= search.needed) break;
    const admin = await adminOf(tools, device, search);
    if (admin === null || found.some(({ member }) => member === admin.member)) continue;
    const policy = {
      keys: [deviceNoteKey(tools.primitives, admin.signingPublicKey)],
      threshold: 1,
      maxAgeSeconds: search.maxAgeSeconds,
    };
    const { nowSeconds, latestSeconds } = search;
    const [witness] = witnessesOf(tools.primitives, note, policy, nowSeconds, latestSeconds).cosigned;
    if (witness !== undefined) found.push({ ...admin, timeSeconds: witness.timeSeconds });
  }
  return found;
}

type Admin = Omit<Cosigner, 'timeSeconds'>;

/** Whose device this is, with its key; `null` unless it is an active admin's in all of the maps. */
async function adminOf(
  tools: ProofTools,
  device: DeviceId,
  { under, known }: CosignerSearch,
): Promise<Admin | null> {
  let admin: Admin | null = known.find((cosigner) => cosigner.device === device) ?? null;
  for (const checkpoint of admin === null ? under : under.slice(1)) {
    const head = await readDevice(tools, checkpoint, device);
    if (head?.role !== 'admin') return null;
    if (admin !== null) continue;
    const { signingPublicKey } = await readKeys(tools, device, head);
    admin = { member: head.member, device, signingPublicKey };
  }
  return admin;
}

const DEVICE_NAME = /^keytide-device\/v1\/([0-9a-f]{64})$/;

/** The devices in whose name there is a line, each once, those that are known first: they cost nothing. */
function devicesIn({ signatures }: SignedNote, known: readonly Cosigner[]): readonly DeviceId[] {
  const names = new Set(signatures.map(({ name }) => name));
  const first = known.map(({ device }) => device).filter((device) => names.has(deviceNoteName(device)));
  const ids = [...names].flatMap((name) => DEVICE_NAME.exec(name)?.[1] ?? []).map(deviceId);
  return [...new Set([...first, ...ids])];
}
