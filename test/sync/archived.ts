import {
  hybridIdentity,
  openAge,
  type Destination,
  type JsonValue,
  type SignedManifest,
} from '@keytide/archive';
import { folderDestination } from '@keytide/archive/node';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';

/** A line of a segment, as far as these tests look at it. */
export interface Line {
  readonly seq: number;
  readonly epoch: number | null;
  readonly member?: string;
  readonly role?: string;
  readonly invalid?: string;
  readonly unreadable?: string;
  readonly content?: readonly JsonValue[];
}

/** What the archives of these tests are sealed to. */
export const archiveKey = primitives.decapsulator(new Uint8Array(32).fill(0x5e));

/** Every line of an archive, opened; of one in a folder by its path. */
export async function linesOf(at: string | Pick<Destination, 'list' | 'read'>): Promise<Line[]> {
  const place = typeof at === 'string' ? folderDestination(at) : at;
  const lines: Line[] = [];
  for (const name of await namesIn(place))
    if (/\/segments\/.*\d\.age$/.test(name))
      for (const line of (await opened(place, name)).toString().trimEnd().split('\n'))
        if (line !== '') lines.push(JSON.parse(line) as Line);
  return lines;
}

/** The archive key's boxes in it. */
export async function boxesIn(folder: string): Promise<unknown[]> {
  const place = folderDestination(folder);
  const name = (await namesIn(place)).find((found) => found.endsWith('/boxes.jsonl')) as string;
  const pieces: Uint8Array[] = [];
  for await (const piece of place.read(name)) pieces.push(piece);
  const lines = Buffer.concat(pieces).toString().split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as unknown);
}

/** The content of an attachment in it. */
export async function attachmentIn(folder: string, blob: string): Promise<Buffer> {
  return opened(folderDestination(folder), `data/attachments/${blob}.age`);
}

export async function namesIn(place: Pick<Destination, 'list'>): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of place.list()) names.push(name);
  return names.toSorted();
}

async function opened(place: Pick<Destination, 'read'>, name: string): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  const identities = [hybridIdentity(primitives, archiveKey)];
  for await (const piece of openAge(place.read(name), { primitives, identities })) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** What lines say of each entry: what it is, or why it is nothing. */
export function told(lines: readonly Line[]): string[] {
  return lines.map(({ seq, member, role, invalid, unreadable, content }) =>
    unreadable === undefined
      ? `${seq} ${member} ${role} ${invalid ?? JSON.stringify(content?.slice(1, 4))}`
      : `${seq} ${unreadable}`,
  );
}

/** What was counted of the only group. */
export function countsIn({ manifest }: SignedManifest): object {
  const { before, throughSeq, messages, invalid, unreadable, skipped } = manifest.groups[0] ?? {};
  return { from: (before?.size ?? NaN) + 1, throughSeq, messages, invalid, unreadable, skipped };
}
