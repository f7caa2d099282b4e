import { readFile } from 'node:fs/promises';
import { nodePrimitives } from '@keytide/crypto-core/node';
import { signBytes, toHex } from '@keytide/crypto-core';
import { LIMITS, REFUSAL_CODES } from '@keytide/relay-protocol';
import { describe, expect, test } from 'vitest';
import { FRAME_EXAMPLES, LOGIN_EXAMPLE } from './examples.ts';

const page = (name: string) => readFile(new URL(`../../../docs/spec/${name}.md`, import.meta.url), 'utf8');

/** The blocks "```hex NAME" of a page. */
function examplesIn(text: string): Record<string, string> {
  const blocks = text.matchAll(/^```hex ([\w-]+)\n([0-9a-f\s]+)```$/gm);
  return Object.fromEntries(
    Array.from(blocks, ([, name = '', hex = '']) => [name, hex.replaceAll(/\s/g, '')]),
  );
}

describe('docs/spec/frames.md', async () => {
  const text = await page('frames');
  test('has the bytes of every frame', () => {
    const expected = Object.fromEntries(
      Object.entries(FRAME_EXAMPLES).map(([name, bytes]) => [name, toHex(bytes)]),
    );
    expect(examplesIn(text)).toEqual(expected);
  });
  test('has the limits that the code has', () => {
    const rows = Array.from(text.matchAll(/^\| `(\w+)` \| ([\d,]+) \|/gm));
    const documented = Object.fromEntries(
      rows.map(([, name, value]) => [name, Number(value?.replaceAll(',', ''))]),
    );
    expect(documented).toEqual(LIMITS);
  });
});

describe('docs/spec/sessions.md', async () => {
  const text = await page('sessions');
  test('has the bytes of a login and its signature', () => {
    const signer = nodePrimitives.signer(new Uint8Array(32).fill(1));
    expect(examplesIn(text)).toMatchObject({
      login: toHex(LOGIN_EXAMPLE),
      signature: toHex(signBytes(nodePrimitives, signer, 'login', LOGIN_EXAMPLE)),
    });
  });
  test('explains every refusal', () => {
    const documented = Array.from(text.matchAll(/^\| `([\w-]+)` \| (?:\d{3}|—)/gm), ([, code]) => code);
    expect(documented.toSorted()).toEqual(REFUSAL_CODES.toSorted());
  });
});
