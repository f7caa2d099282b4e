import { asciiBytes, concatBytes } from '@keytide/crypto-core';

/** A file in a ZIP file (APPNOTE 6.3.10), stored as it is. */
export interface ZipRecord {
  /** ASCII. */
  readonly name: string;
  /** Where its header begins. */
  readonly offset: number;
  readonly sizeBytes: number;
  readonly crc: number;
}

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const END_64 = 0x06064b50;
const LOCATOR_64 = 0x07064b50;
const MOST = 0xffffffff;
const MOST_RECORDS = 0xffff;
const VERSION = 20;
const VERSION_64 = 45;
const UNIX = 3 << 8;
/** 1980-01-01: one time for all files, so that the same archive gives the same bytes. */
const DATE = 0x21;
const FILE_MODE = 0o100_644;
const FIXED_BYTES = 30;
/** Room for the extra field of large files, which others fill with one that means nothing. */
const EXTRA_BYTES = 20;
const ZIP64 = 0x0001;
const PADDING = 0xd935;

/** The size of what stands before a file's bytes. */
export function headerBytes(name: string): number {
  return FIXED_BYTES + name.length + EXTRA_BYTES;
}

/** What stands before a file's bytes. */
export function localHeader({ name, sizeBytes, crc }: Omit<ZipRecord, 'offset'>): Uint8Array {
  const isLarge = sizeBytes >= MOST;
  const size = isLarge ? MOST : sizeBytes;
  const extra = isLarge
    ? fields([2, ZIP64], [2, 16], [8, sizeBytes], [8, sizeBytes])
    : fields([2, PADDING], [2, 16], [8, 0], [8, 0]);
  return concatBytes(
    ...[fields([4, LOCAL], [2, isLarge ? VERSION_64 : VERSION], [2, 0], [2, 0], [2, 0], [2, DATE])],
    ...[fields([4, crc], [4, size], [4, size], [2, name.length], [2, EXTRA_BYTES])],
    ...[asciiBytes(name), extra],
  );
}

/** Where a header has the seconds of its time, and what makes a file one that was removed: its time is 00:00:02. */
export const REMOVED: { readonly at: number; readonly byte: Uint8Array } = { at: 10, byte: Uint8Array.of(1) };

/** What a header at the start of `bytes` says; `null` for anything that `localHeader` has not made. */
export function readLocalHeader(
  bytes: Uint8Array,
): (Omit<ZipRecord, 'offset'> & { readonly isRemoved: boolean }) | null {
  if (bytes.length < FIXED_BYTES) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const nameBytes = view.getUint16(26, true);
  if (view.getUint32(0, true) !== LOCAL || bytes.length < FIXED_BYTES + nameBytes + EXTRA_BYTES) return null;
  const name = String.fromCharCode(...bytes.subarray(FIXED_BYTES, FIXED_BYTES + nameBytes));
  const size = view.getUint32(18, true);
  const large = (): number => Number(view.getBigUint64(FIXED_BYTES + nameBytes + 4, true));
  const found = { name, crc: view.getUint32(14, true), sizeBytes: size === MOST ? large() : size };
  const isRemoved = bytes[REMOVED.at] === REMOVED.byte[0];
  const whole = localHeader(found);
  if (isRemoved) whole.set(REMOVED.byte, REMOVED.at);
  return whole.every((byte, i) => byte === bytes[i]) ? { ...found, isRemoved } : null;
}

/** What stands behind the last file, at `offset`: the list of all, and where it is. */
export function* centralDirectory(records: readonly ZipRecord[], offset: number): Generator<Uint8Array> {
  let length = 0;
  for (const record of records) {
    const header = centralHeader(record);
    length += header.length;
    yield header;
  }
  const isLarge = records.length >= MOST_RECORDS || offset >= MOST || length >= MOST;
  const end64 = isLarge
    ? [
        fields([4, END_64], [8, 44], [2, UNIX | VERSION_64], [2, VERSION_64], [4, 0], [4, 0]),
        fields([8, records.length], [8, records.length], [8, length], [8, offset]),
        fields([4, LOCATOR_64], [4, 0], [8, offset + length], [4, 1]),
      ]
    : [];
  const count = Math.min(records.length, MOST_RECORDS);
  const end = [
    fields([4, END], [2, 0], [2, 0], [2, count], [2, count]),
    fields([4, Math.min(length, MOST)], [4, Math.min(offset, MOST)], [2, 0]),
  ];
  yield concatBytes(...end64, ...end);
}

function centralHeader({ name, offset, sizeBytes, crc }: ZipRecord): Uint8Array {
  const values = [sizeBytes, sizeBytes, offset];
  const large = [...(sizeBytes >= MOST ? [sizeBytes, sizeBytes] : []), ...(offset >= MOST ? [offset] : [])];
  const extra =
    large.length === 0
      ? new Uint8Array()
      : fields([2, ZIP64], [2, 8 * large.length], ...large.map((value) => [8, value] as const));
  const version = large.length === 0 ? VERSION : VERSION_64;
  const [packed, plain, at] = values.map((value) => Math.min(value, MOST)) as [number, number, number];
  return concatBytes(
    fields([4, CENTRAL], [2, UNIX | version], [2, version], [2, 0], [2, 0], [2, 0], [2, DATE]),
    fields([4, crc], [4, packed], [4, plain], [2, name.length], [2, extra.length], [2, 0], [2, 0], [2, 0]),
    fields([4, FILE_MODE * 65_536], [4, at]),
    ...[asciiBytes(name), extra],
  );
}

/** Numbers of so many bytes, little-endian. */
function fields(...values: readonly (readonly [sizeBytes: 2 | 4 | 8, value: number])[]): Uint8Array {
  const bytes = new Uint8Array(values.reduce((sum, [size]) => sum + size, 0));
  const view = new DataView(bytes.buffer);
  let offset = 0;
  for (const [size, value] of values) {
    if (size === 2) view.setUint16(offset, value, true);
    else if (size === 4) view.setUint32(offset, value, true);
    else view.setBigUint64(offset, BigInt(value), true);
    offset += size;
  }
  return bytes;
}
