import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  openEpoch,
  openEpochBox,
  openMessage,
  parseEnvelopeHeader,
  parseEpochStatement,
  Secret,
  verifyCommitment,
  type DeviceId,
  type EpochStatement,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom as random, openFileVault } from '@keytide/crypto-core/node';
import { recipientsOf, replay } from '@keytide/key-directory';

/** What a relay has of a group, as who runs it sees it: everything, from the beginning. */
export interface RelayHoldings {
  readonly announced: readonly {
    readonly statement: EpochStatement;
    readonly boxes: readonly { readonly device: string; readonly box: Uint8Array }[];
  }[];
  readonly envelopes: readonly Uint8Array[];
}

/** What an attacker makes of a device's disk with its passphrase and of all that the relay has. */
export interface Opened {
  readonly epochs: readonly number[];
  /** Every payload that opens, as it stands in the envelopes. */
  readonly payloads: readonly Uint8Array[];
  /** Every byte on the disk, and every byte of the vault's content. */
  readonly bytes: Uint8Array;
}

/** A copy of the whole folder, with its vault's lock broken. Remove it with `rm`. */
export async function diskImage(home: string): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), 'keytide-image-'));
  await cp(home, copy, { recursive: true });
  await rm(join(copy, 'vault.lock'), { force: true, recursive: true });
  return copy;
}

/**
 * Tries everything on the disk that could be a key, in whatever format it may be stored: each 32 bytes at the start of
 * a value or after the head of a CBOR byte string, as an epoch key and as the seed of a sealing key.
 */
export async function openImage(
  image: string,
  passphrase: string,
  device: DeviceId,
  { announced, envelopes }: RelayHoldings,
): Promise<Opened> {
  const vault = await openFileVault({ path: join(image, 'vault'), passphrase, create: false, random });
  const names = await vault.names('');
  const values = (await Promise.all(names.map((name) => vault.get(name)))) as Uint8Array[];
  await vault.close();
  const files = await Promise.all((await readdir(image)).map((name) => readFile(join(image, name))));
  const candidates = [...values, ...files].flatMap(keysIn);
  const seeds = values.flatMap(keysIn).map((seed) => primitives.decapsulator(seed));
  const keys = new Map<number, Uint8Array>();
  for (const { statement, boxes } of announced) {
    const box = boxes.find((one) => one.device === device)?.box;
    const direct = candidates.find((key) => isKeyOf(statement, key));
    const unboxed =
      box === undefined ? [] : seeds.flatMap((seed) => unseal(seed, statement, device, box) ?? []);
    const key = direct ?? unboxed[0];
    if (key !== undefined) keys.set(statement.epoch, key);
  }
  const wires = records(await readFile(join(image, 'membership.journal')));
  const state = replay(primitives, wires);
  const payloads = envelopes.flatMap((envelope) => {
    const { epoch } = parseEnvelopeHeader(envelope);
    const key = keys.get(epoch);
    const statement = announced.find((one) => one.statement.epoch === epoch)?.statement;
    if (key === undefined || statement === undefined) return [];
    const devices = recipientsOf(state, statement.group).map((recipient) => ({
      device: recipient.device,
      verifier: primitives.verifier(recipient.signingPublicKey),
    }));
    const opened = openEpoch({ primitives, statement, key: Secret.own(key.slice()), devices });
    return [openMessage(opened, envelope).payload];
  });
  return { epochs: [...keys.keys()], payloads, bytes: Buffer.concat([...values, ...files]) };
}

function keysIn(value: Uint8Array): Uint8Array[] {
  const starts = [0];
  for (let at = 0; at + 34 <= value.length; at += 1)
    if (value[at] === 0x58 && value[at + 1] === 0x20) starts.push(at + 2);
  return starts.filter((at) => at + 32 <= value.length).map((at) => value.slice(at, at + 32));
}

function isKeyOf(statement: EpochStatement, key: Uint8Array): boolean {
  try {
    verifyCommitment(primitives, statement, Secret.own(key.slice()));
    return true;
  } catch {
    return false;
  }
}

function unseal(
  seed: ReturnType<typeof primitives.decapsulator>,
  statement: EpochStatement,
  device: DeviceId,
  box: Uint8Array,
): Uint8Array | null {
  try {
    return openEpochBox(primitives, [seed], statement, device, box).use((bytes) => bytes.slice());
  } catch {
    return null;
  }
}

/** The records of a journal (docs/spec/journal.md). */
function records(file: Uint8Array): Uint8Array[] {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const found: Uint8Array[] = [];
  for (let at = 4; at + 8 <= file.length;) {
    const sizeBytes = view.getUint32(at);
    found.push(file.slice(at + 8, at + 8 + sizeBytes));
    at += 8 + sizeBytes;
  }
  return found;
}

/** The announcements of a relay, with its statements read. */
export function announcement(frame: {
  statement: Uint8Array;
  boxes: readonly { readonly device: string; readonly box: Uint8Array }[];
}): RelayHoldings['announced'][number] {
  return { statement: parseEpochStatement(primitives, frame.statement), boxes: frame.boxes };
}
