import { encodeUtf8 } from '@keytide/crypto-core';
import { base64nopad } from '@scure/base';
import type { ByteReader } from '../byte-reader.ts';
import { ArchiveError } from '../errors.ts';

/** One way to a file's key: its type and what else there is to say, and the key as it is sealed that way. */
export interface Stanza {
  readonly args: readonly string[];
  readonly body: Uint8Array;
}

/** What an age file begins with. */
export interface AgeHeader {
  readonly stanzas: readonly Stanza[];
  /** 32 bytes: what proves that who wrote it had the file's key. */
  readonly mac: Uint8Array;
  /** What the MAC is over. */
  readonly covered: Uint8Array;
}

const VERSION = 'age-encryption.org/v1';
const LINE_FEED = 10;
const COLUMNS = 64;
/** A hybrid stanza has about 1,600 bytes. */
const MAX_LINE_BYTES = 4_096;
const MAX_HEADER_BYTES = 1_048_576;
const VISIBLE = /^[!-~]+$/;
const PRINTABLE = /^[ -~]*$/;
const MAC_BYTES = 32;

/** What the MAC of a header with these stanzas is over. */
export function coveredBytes(stanzas: readonly Stanza[]): Uint8Array {
  return ascii([VERSION, ...stanzas.flatMap(linesOf), '---'].join('\n'));
}

/** The header as it is written. */
export function encodeAgeHeader(stanzas: readonly Stanza[], mac: Uint8Array): Uint8Array {
  return ascii(`${[VERSION, ...stanzas.flatMap(linesOf), '---'].join('\n')} ${base64nopad.encode(mac)}\n`);
}

/**
 * Reads a header (age-encryption.org/v1, "Header"); nothing of it is proven yet.
 * @throws ArchiveError `malformed`, `unsupported-version`, `too-large`
 */
export async function readAgeHeader(reader: ByteReader): Promise<AgeHeader> {
  let sizeBytes = 0;
  const nextLine = async (): Promise<string> => {
    const bytes = await reader.readUntil(LINE_FEED, MAX_LINE_BYTES);
    const line = bytes === null ? null : String.fromCharCode(...bytes);
    if (line === null || !PRINTABLE.test(line)) throw malformed();
    sizeBytes += line.length + 1;
    if (sizeBytes > MAX_HEADER_BYTES) throw new ArchiveError('too-large', 'a header of more than 1 MiB');
    return line;
  };
  const version = await nextLine();
  if (version !== VERSION) {
    const isNewer = version.startsWith('age-encryption.org/');
    throw isNewer ? new ArchiveError('unsupported-version', 'an age file of another version') : malformed();
  }
  const stanzas: Stanza[] = [];
  for (;;) {
    const line = await nextLine();
    if (line.startsWith('--- ')) {
      const mac = base64(line.slice(4));
      if (stanzas.length === 0 || mac.length !== MAC_BYTES) throw malformed();
      return { stanzas, mac, covered: coveredBytes(stanzas) };
    }
    const [arrow, ...args] = line.split(' ');
    if (arrow !== '->' || args.length === 0 || !args.every((arg) => VISIBLE.test(arg))) throw malformed();
    let text = '';
    for (let part = await nextLine(); ; part = await nextLine()) {
      if (part.length > COLUMNS) throw malformed();
      text += part;
      if (part.length < COLUMNS) break;
    }
    stanzas.push({ args, body: base64(text) });
  }
}

/** @throws ArchiveError `malformed`, also for what another text stands for as well */
export function base64(text: string): Uint8Array {
  try {
    return base64nopad.decode(text);
  } catch {
    throw malformed();
  }
}

/** What is no age file. */
export function malformed(): ArchiveError {
  return new ArchiveError('malformed', 'not an age file, or a damaged one');
}

/** The last line of a body is shorter than the others, if need be by all that it has. */
function linesOf({ args, body }: Stanza): string[] {
  const text = base64nopad.encode(body);
  const lines = Array.from({ length: Math.floor(text.length / COLUMNS) + 1 }, (_, line) =>
    text.slice(line * COLUMNS, (line + 1) * COLUMNS),
  );
  return [`-> ${args.join(' ')}`, ...lines];
}

function ascii(text: string): Uint8Array {
  return encodeUtf8(text) as Uint8Array;
}
