import {
  decodeCbor,
  encodeCbor,
  fromBase64Url,
  idBytes,
  orgId,
  Secret,
  toBase64Url,
  type CborValue,
  type OrgId,
} from '@keytide/crypto-core';
import { z } from 'zod';
import type { Checkpoint } from './checkpoint.ts';
import { DirectoryError } from './errors.ts';

/** What an invite tells its holder; docs/spec/invite.md. Whoever has it can join once. */
export interface InviteLink {
  /** Origin of the relay, such as `https://relay.example.org`, without a slash at its end. */
  readonly relayUrl: string;
  readonly org: OrgId;
  /** A log that the relay must show: one that holds the invite. */
  readonly checkpoint: Checkpoint;
  /** 32 bytes: the seed of the invite's one-time Ed25519 key. */
  readonly seed: Secret;
}

const VERSION = 1;
/** The longest true link payload has 113 bytes. */
const MAX_PAYLOAD_BYTES = 128;
/** Scheme, host name or address in lower case, port. No user name, path or query: they would be sent. */
const ORIGIN = /^https?:\/\/(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::[1-9][0-9]{0,4})?$/;

/**
 * The link to hand to one person over a channel you trust: `RELAY/join#PAYLOAD`. What stands after the
 * `#` is secret, and browsers do not send it to the relay.
 * @throws DirectoryError `malformed` for a relay address that is not a plain origin
 */
export function formatInviteLink(link: InviteLink): string {
  if (!ORIGIN.test(link.relayUrl)) throw new DirectoryError('malformed', 'not the origin of a relay');
  const { size, root } = link.checkpoint;
  const payload = link.seed.use((seed) => encodeCbor([VERSION, idBytes(link.org), size, root, seed]));
  return `${link.relayUrl}/join#${toBase64Url(payload)}`;
}

/** Longer text is not looked at. */
const MAX_LINK_CHARACTERS = 1024;

/** Reads an invite link. @throws DirectoryError `malformed`, `unsupported-version`, `too-large` */
export function parseInviteLink(text: string): InviteLink {
  if (text.length > MAX_LINK_CHARACTERS) throw new DirectoryError('too-large', 'too long for an invite link');
  const [address, fragment, ...more] = text.split('#');
  const relayUrl = address?.endsWith('/join') ? address.slice(0, -'/join'.length) : '';
  const payload = fromBase64Url(fragment ?? '');
  if (more.length > 0 || payload === null || !ORIGIN.test(relayUrl)) throw malformed();
  const value = decoded(payload);
  if (Array.isArray(value) && typeof value[0] === 'number' && value[0] !== VERSION)
    throw new DirectoryError('unsupported-version', 'an invite of a version that this build does not know');
  const fields = schema.safeParse(value).data;
  if (fields === undefined) throw malformed();
  const [, org, size, root, seed] = fields;
  return { relayUrl, org: orgId(org), checkpoint: { size, root }, seed: Secret.own(seed) };
}

const bytes32 = z.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length === 32);
const schema = z.tuple([z.literal(VERSION), bytes32, z.int().min(1), bytes32, bytes32]);

function decoded(payload: Uint8Array): CborValue {
  try {
    return decodeCbor(payload, MAX_PAYLOAD_BYTES);
  } catch {
    throw malformed();
  }
}

function malformed(): DirectoryError {
  return new DirectoryError('malformed', 'not an invite link');
}
