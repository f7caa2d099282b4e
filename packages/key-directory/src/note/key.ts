import {
  asciiBytes,
  concatBytes,
  deviceIdOf,
  fromHex,
  toHex,
  uint32Bytes,
  type DeviceId,
  type Primitives,
} from '@keytide/crypto-core';
import { DirectoryError } from '../errors.ts';
import { fromBase64, toBase64 } from './base64.ts';

/** The kinds of signatures this build knows: Ed25519 over the text, and a cosignature with a time. */
export type NoteKeyType = 'signature' | 'cosignature';

/** A key that notes are checked with. */
export interface NoteKey {
  /** Printable ASCII without spaces and plus signs. */
  readonly name: string;
  readonly type: NoteKeyType;
  /** Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array;
}

const TYPE_BYTES = { signature: 1, cosignature: 4 } as const;
const NAME = /^[!-*,-~]+$/;

/** SHA-256(name ‖ 0a ‖ type ‖ public key), the first four bytes as a number (C2SP signed-note). */
export function keyIdOf(primitives: Primitives, { name, type, publicKey }: NoteKey): number {
  if (!NAME.test(name) || publicKey.length !== 32) throw malformed();
  const hash = primitives.sha256(
    concatBytes(asciiBytes(`${name}\n`), Uint8Array.of(TYPE_BYTES[type]), publicKey),
  );
  return new DataView(hash.buffer, hash.byteOffset).getUint32(0);
}

/** A key as text, `name+id+base64(type ‖ public key)`: to be configured, printed and compared. */
export function noteKeyText(primitives: Primitives, key: NoteKey): string {
  const id = toHex(uint32Bytes(keyIdOf(primitives, key)));
  return `${key.name}+${id}+${toBase64(concatBytes(Uint8Array.of(TYPE_BYTES[key.type]), key.publicKey))}`;
}

/** Reads what `noteKeyText` writes. @throws DirectoryError `malformed`: also for an id that is not the key's */
export function parseNoteKey(primitives: Primitives, text: string): NoteKey {
  const [name, id, ...rest] = text.split('+');
  const bytes = fromBase64(rest.join('+'));
  if (name === undefined || id === undefined || bytes === null) throw malformed();
  const type = bytes[0] === TYPE_BYTES.signature ? 'signature' : 'cosignature';
  if (bytes[0] !== TYPE_BYTES[type]) throw malformed();
  const key: NoteKey = { name, type, publicKey: bytes.slice(1) };
  const expected = uint32Bytes(keyIdOf(primitives, key));
  if (fromHex(id)?.join() !== expected.join()) throw malformed();
  return key;
}

/** The name under which a device cosigns: it follows from the key, so one key cosigns under one name only. */
export function deviceNoteName(device: DeviceId): string {
  return `keytide-device/v1/${device}`;
}

/** The key with which a device's cosignatures are checked. */
export function deviceNoteKey(primitives: Primitives, signingPublicKey: Uint8Array): NoteKey {
  const name = deviceNoteName(deviceIdOf(primitives, signingPublicKey));
  return { name, type: 'cosignature', publicKey: signingPublicKey };
}

function malformed(): DirectoryError {
  return new DirectoryError('malformed', 'not a key for notes');
}
