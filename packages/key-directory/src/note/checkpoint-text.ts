import { orgId, type OrgId } from '@keytide/crypto-core';
import type { Checkpoint } from '../checkpoint.ts';
import { DirectoryError } from '../errors.ts';
import { fromBase64, toBase64 } from './base64.ts';

/** What the text of a checkpoint says (C2SP tlog-checkpoint). */
export interface LogCheckpoint extends Checkpoint {
  /** Which log: `originOf(org)` for a membership log. */
  readonly origin: string;
  /** The root of the map over the first `size` entries, 32 bytes; `null` where a log of somebody else tells none. */
  readonly mapRoot: Uint8Array | null;
}

const ORIGIN_START = 'keytide-log/v1/';
const MAP_START = 'keytide-map/v1 ';
const HASH_BYTES = 32;

/** The origin of an organisation's membership log. It names no relay: a log survives a move to another. */
export function originOf(org: OrgId): string {
  return ORIGIN_START + org;
}

/** The organisation that an origin names; `null` when it is not a membership log's. */
export function orgOf(origin: string): OrgId | null {
  const id = origin.slice(ORIGIN_START.length);
  return origin.startsWith(ORIGIN_START) && /^[0-9a-f]{64}$/.test(id) ? orgId(id) : null;
}

/** The text of a checkpoint: three lines, and one for the map. @throws DirectoryError `malformed` for what could not be read back */
export function checkpointText({ origin, size, root, mapRoot }: LogCheckpoint): string {
  const lines = [origin, String(size), toBase64(root)];
  if (mapRoot !== null) lines.push(MAP_START + toBase64(mapRoot));
  const text = `${lines.join('\n')}\n`;
  // A device signs this text, so it is made sure to be one that is read in one way.
  if (!/^[!-~\n ]+$/.test(text) || parseCheckpointText(text).origin !== origin) throw malformed();
  return text;
}

/**
 * Reads the text of a checkpoint. Extension lines that are not ours are allowed and not looked at.
 * @throws DirectoryError `malformed`
 */
export function parseCheckpointText(text: string): LogCheckpoint {
  const lines = text.split('\n');
  if (lines.pop() !== '' || lines.includes('')) throw malformed();
  const [origin, sizeText, rootText, ...extensions] = lines;
  if (origin === undefined || sizeText === undefined || rootText === undefined) throw malformed();
  const size = Number(sizeText);
  if (!/^(?:0|[1-9]\d*)$/.test(sizeText) || !Number.isSafeInteger(size)) throw malformed();
  const maps = extensions.filter((line) => line.startsWith(MAP_START));
  if (maps.length > 1) throw malformed();
  const mapRoot = maps[0] === undefined ? null : hashOf(maps[0].slice(MAP_START.length));
  return { origin, size, root: hashOf(rootText), mapRoot };
}

function hashOf(text: string): Uint8Array {
  const hash = fromBase64(text);
  if (hash?.length !== HASH_BYTES) throw malformed();
  return hash;
}

function malformed(): DirectoryError {
  return new DirectoryError('malformed', 'not the text of a checkpoint');
}
