import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  appendLeaf,
  concatBytes,
  EMPTY_FRONTIER,
  encodeCbor,
  idBytes,
  leafHash,
  memberId,
  orgId,
  toHex,
} from '@keytide/crypto-core';
import { nodePrimitives } from '@keytide/crypto-core/node';
import { encodeGroupEntry } from '@keytide/relay-protocol';
import { describe, expect, test } from 'vitest';
import { openFileJournal } from '../src/node.ts';
import { decodeRecord, encodeRecord, type LogFloor } from '../src/entry.ts';
import { encodeDirectPayload, parseDirectPayload } from '../src/direct-payload.ts';
import { encodeLivePayload, parseLivePayload } from '../src/live-payload.ts';
import { encodeTicket, parseTicket } from '../src/unlock-ticket.ts';
import { channelOf, encodeOperation, parseOperation } from '../src/operation.ts';

/** The hex of the fenced block "```hex NAME" of a page of docs/spec, without the remarks beside it. */
async function example(page: string, name: string): Promise<string> {
  const text = await readFile(new URL(`../../../docs/spec/${page}.md`, import.meta.url), 'utf8');
  const block = text.split(`\n\`\`\`hex ${name}\n`)[1]?.split('\n```')[0] ?? '';
  return block
    .split('\n')
    .map((line) => line.split(/ {2,}/)[0]?.replaceAll(' ', ''))
    .join('');
}

const operation = {
  act: 'edit',
  collection: 'requests',
  item: '000102030405060708090a0b0c0d0e0fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf',
  time: { ms: Date.UTC(2026, 0, 1), counter: 2 },
  body: { status: 'done' },
} as const;

describe('the examples of the specification', () => {
  test('operation', async () => {
    const encoded = encodeOperation(operation);
    expect(toHex(encoded)).toBe(await example('operations', 'operation'));
    expect(parseOperation(encoded, Infinity)).toEqual(operation);
  });

  test('floor', async () => {
    const filled = (byte: number, sizeBytes: number) => new Uint8Array(sizeBytes).fill(byte);
    const statement = filled(0x5e, 8);
    const entries = [
      { kind: 'statement', bytes: statement } as const,
      ...[0xe1, 0xe2].map((byte) => ({ kind: 'envelope', bytes: filled(byte, 4) }) as const),
    ];
    const leaves = entries.map((entry) => leafHash(nodePrimitives, encodeGroupEntry(entry)));
    const tree = leaves.reduce((before, leaf) => appendLeaf(nodePrimitives, before, leaf), EMPTY_FRONTIER);
    const frontier = concatBytes(...tree.hashes);
    expect(toHex(frontier)).toBe(await example('floor', 'frontier'));
    const floor: LogFloor = { kind: 'floor', firstSeq: 4, statement, frontier };
    expect(toHex(encodeRecord(floor))).toBe(await example('floor', 'record'));
    expect(decodeRecord(encodeRecord(floor))).toEqual(floor);
  });

  test('unlock ticket', async () => {
    const ids = [new Uint8Array(32).fill(0x1d)];
    const ticket = { relay: 'http://127.0.0.1:8080', org: orgId('0a'.repeat(32)), ids };
    expect(toHex(encodeTicket(ticket))).toBe(await example('unlock-lease', 'ticket'));
    expect(parseTicket(encodeTicket(ticket))).toEqual(ticket);
  });

  test('channel', async () => {
    const channel = channelOf(nodePrimitives, operation.collection, operation.item);
    expect(toHex(channel)).toBe(await example('operations', 'channel'));
  });

  test('live value', async () => {
    const value = { collection: 'places', room: '', body: { lat: 48.5, place: 'depot' } };
    const payload = encodeLivePayload(value);
    expect(toHex(payload)).toBe(await example('live', 'payload'));
    expect(parseLivePayload(payload)).toEqual(value);
    expect(toHex(channelOf(nodePrimitives, 'places', ''))).toBe(await example('live', 'channel'));
    for (const bad of [
      new Uint8Array(0),
      encodeCbor([2, 'places', '', {}]),
      encodeCbor([1, 'places', '', {}, 1]),
      encodeCbor([1, 1, '', {}]),
      encodeCbor([1, 'places', 1, {}]),
      encodeCbor([1, 'places', '', []]),
      encodeCbor([1, 'places', '', null]),
      new Uint8Array(4097),
    ])
      expect(parseLivePayload(bad)).toBeNull();
  });

  test('direct message', async () => {
    const id = new Uint8Array(16).fill(0x5a);
    const to = memberId(new Uint8Array(16).fill(0x0c));
    const message = { id, to, sentMs: Date.UTC(2026, 0, 1), body: { text: 'hello' } };
    const payload = encodeDirectPayload(message);
    expect(toHex(payload)).toBe(await example('direct', 'payload'));
    expect(parseDirectPayload(payload)).toEqual(message);
    const member = idBytes(to);
    for (const bad of [
      new Uint8Array(0),
      encodeCbor([2, id, member, 1, {}]),
      encodeCbor([1, id, member, 1, {}, 1]),
      encodeCbor([1, id.subarray(1), member, 1, {}]),
      encodeCbor([1, id, member.subarray(1), 1, {}]),
      encodeCbor([1, id, member, -1, {}]),
      encodeCbor([1, id, member, 1, []]),
      encodeCbor([1, id, member, 1, null]),
      new Uint8Array(8193),
    ])
      expect(parseDirectPayload(bad)).toBeNull();
  });

  test('journal', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'keytide-spec-'));
    try {
      const path = join(folder, 'example.journal');
      const journal = await openFileJournal(path);
      await journal.append([Uint8Array.of(0, 1, 2), Uint8Array.of(0xff)]);
      await journal.close();
      expect(toHex(await readFile(path))).toBe(await example('journal', 'journal'));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
