import { fromHex, Secret } from '@keytide/crypto-core';
import { z } from 'zod';
import { ArchiveError } from '../errors.ts';
import type { EpochKey } from '../export/source.ts';
import type { ByteStream } from './destination.ts';
import { readLines } from './json-lines.ts';

const digits = z.string().regex(/^[0-9a-f]{64}$/);
const lineSchema = z.object({ epoch: z.int().min(1), statement: digits, key: digits });

/** Reads what a segment's `keys.age` holds, opened. The caller disposes the keys. @throws ArchiveError `malformed` */
export async function* readEpochKeys(plain: ByteStream): AsyncGenerator<EpochKey, void, undefined> {
  let before = 0;
  for await (const value of readLines(plain)) {
    const line = lineSchema.safeParse(value).data;
    if (line === undefined || line.epoch < before) throw new ArchiveError('malformed', 'not a line of a key');
    before = line.epoch;
    const { epoch, statement, key } = line;
    yield { epoch, statement: fromHex(statement) as Uint8Array, key: Secret.own(fromHex(key) as Uint8Array) };
  }
}
