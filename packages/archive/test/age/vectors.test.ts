import { inflateSync } from 'node:zlib';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import * as vectors from 'cctv-age';
import { describe, expect, test } from 'vitest';
import { ArchiveError, openAge, readIdentity, type AgeIdentity } from '../../src/index.ts';
import { scryptIdentity, sha256Hex, x25519Identity } from './classical.ts';

/** What the published vectors say must come of a file, in our codes. */
const VERDICTS: Record<string, readonly string[]> = {
  success: ['success'],
  'no match': ['no-identity'],
  'HMAC failure': ['damaged'],
  'header failure': ['malformed', 'unsupported-version'],
  'payload failure': ['damaged'],
};

interface Vector {
  readonly name: string;
  readonly expect: string;
  readonly payload: string | undefined;
  readonly identities: readonly AgeIdentity[];
  readonly file: Uint8Array;
}

/** Armour, which is text around a file, is not what archives are made of. */
const all = Object.entries(vectors)
  .map(([name, bytes]) => vectorOf(name, Buffer.from(bytes)))
  .filter((vector): vector is Vector => vector !== null);

function vectorOf(name: string, bytes: Buffer): Vector | null {
  const end = bytes.indexOf('\n\n');
  const fields = bytes.subarray(0, end).toString().split('\n');
  const valuesOf = (key: string) =>
    fields.filter((field) => field.startsWith(`${key}: `)).map((field) => field.slice(key.length + 2));
  if (valuesOf('armored').length > 0) return null;
  const body = bytes.subarray(end + 2);
  return {
    name,
    expect: valuesOf('expect')[0] as string,
    payload: valuesOf('payload')[0],
    identities: [
      ...valuesOf('identity').map((text) =>
        text.startsWith('AGE-SECRET-KEY-PQ-1') ? readIdentity(primitives, text) : x25519Identity(text),
      ),
      ...valuesOf('passphrase').map(scryptIdentity),
    ],
    file: valuesOf('compressed').length > 0 ? inflateSync(body) : body,
  };
}

async function outcomeOf({ file, identities }: Vector, pieceBytes: number) {
  const parts: Uint8Array[] = [];
  const pieces = Array.from({ length: Math.ceil(file.length / pieceBytes) }, (_, piece) =>
    file.subarray(piece * pieceBytes, (piece + 1) * pieceBytes),
  );
  let verdict = 'success';
  try {
    for await (const part of openAge(pieces, { primitives, identities, mayBeClassical: true }))
      parts.push(part);
  } catch (error) {
    if (!(error instanceof ArchiveError)) throw error;
    verdict = error.code;
  }
  return { verdict, payload: sha256Hex(Buffer.concat(parts)) };
}

describe('the published vectors', () => {
  test('are all that there are', () => expect(all.length).toBe(110));

  test.each(all)('$name: $expect', async (vector) => {
    for (const pieceBytes of [1_000_000, 4_099]) {
      const { verdict, payload } = await outcomeOf(vector, pieceBytes);
      expect(VERDICTS[vector.expect]).toContain(verdict);
      if (vector.payload !== undefined) expect(payload).toBe(vector.payload);
    }
  });

  test('a file that is sealed to a classical key as well is refused, unless that is allowed', async () => {
    const mixed = all.find(({ name }) => name === 'hybrid_and_x25519') as Vector;
    const opening = openAge([mixed.file], { primitives, identities: mixed.identities });
    await expect(opening.next()).rejects.toMatchObject({ code: 'classical-recipient' });
  });
});
