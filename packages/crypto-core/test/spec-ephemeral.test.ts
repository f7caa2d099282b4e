import { describe, expect, test } from 'vitest';
import {
  asciiBytes,
  encodeHeartbeat,
  ephemeralWindow,
  readHeartbeat,
  receiveEphemeral,
  startEphemeralSession,
  toHex,
} from '@keytide/crypto-core';
import { specExample } from './spec-page.ts';
import { alice, BLOCK_START_MS, directory, filled, openedEpoch } from './spec-world.ts';

const nowMs = BLOCK_START_MS + 3_600_000;
const session = (kind: 'live' | 'heartbeat', channel: Uint8Array) =>
  startEphemeralSession(openedEpoch(), {
    signer: alice.signer,
    sender: alice.id,
    kind,
    channel,
    maxAgeMs: 60_000,
    nowMs,
    random: (sizeBytes) => filled(0x5a, sizeBytes),
  });
const received = (page: string) =>
  receiveEphemeral({
    keys: openedEpoch(),
    window: ephemeralWindow(0, null),
    frame: specExample(page, 'frame'),
    nowMs,
  }).message;

describe('docs/spec/ephemeral.md', () => {
  test('frame', () => {
    const sealed = session('live', filled(0xc1, 16)).seal(asciiBytes('hello'), nowMs);
    expect(toHex(sealed)).toBe(toHex(specExample('ephemeral', 'frame')));
    expect(received('ephemeral')).toMatchObject({ sender: alice.id, payload: asciiBytes('hello') });
  });
});

describe('docs/spec/heartbeat.md', () => {
  const heartbeat = {
    last: { counter: 3, link: filled(0x1b, 32) },
    heads: { directory, group: { size: 6, root: filled(0xd4, 32) } },
  };
  test('payload and frame', () => {
    const payload = encodeHeartbeat(heartbeat);
    expect(toHex(payload)).toBe(toHex(specExample('heartbeat', 'payload')));
    const sealed = session('heartbeat', new Uint8Array(16)).seal(payload, nowMs);
    expect(toHex(sealed)).toBe(toHex(specExample('heartbeat', 'frame')));
    expect(readHeartbeat(received('heartbeat'))).toEqual(heartbeat);
  });
});
