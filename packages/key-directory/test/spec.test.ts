import { encodeCbor, Secret, toHex } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import {
  checkpointOf,
  formatInviteLink,
  inviteIdOf,
  parseInviteLink,
  replay,
  verifyCheckpoint,
} from '@keytide/key-directory';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { BOB, INVITE_SEED, invited, state, wires } from './spec-log.ts';
import { specBlock, specExample, specPage } from './spec-page.ts';

describe('docs/spec/membership-log.md', () => {
  const example = (name: string): Uint8Array => specExample('membership-log', name);
  const log = ['genesis', 'invite', 'join', 'role'].map(example);

  test.each(Object.entries(wires))('the entry %s is made from the seeds', (name, wire) => {
    expect(toHex(wire)).toBe(toHex(example(name)));
  });

  test('the entries are a log, with the hashes, the root and the group that are told', () => {
    const read = replay(primitives, log);
    expect(read.org).toBe(toHex(example('org')));
    expect(read.headHash).toBe(toHex(example('role-hash')));
    expect(toHex(read.root)).toBe(toHex(example('root')));
    expect(read.everyone).toBe(toHex(example('everyone')));
    expect(read.members.get(BOB)).toMatchObject({ handle: 'bob', role: 'exporter' });
  });

  test('names every kind and every code', () => {
    const source = (name: string): string =>
      readFileSync(new URL(`../src/${name}.ts`, import.meta.url), 'utf8');
    const words = [
      ...source('errors').matchAll(/^ {2}\| '([a-z-]+)'/gm),
      ...source('entry-body').matchAll(/kind: '([a-z-]+)';/g),
    ].map(([, word]) => word);
    expect(words.length).toBeGreaterThan(30);
    expect(words.filter((word) => !specPage('membership-log').includes(`\`${word}\``))).toEqual([]);
  });
});

describe('docs/spec/invite.md', () => {
  const example = (name: string): Uint8Array => specExample('invite', name);

  test('the link', () => {
    const link = formatInviteLink({
      relayUrl: 'https://relay.example.org',
      org: state.org,
      checkpoint: checkpointOf(invited),
      seed: Secret.own(INVITE_SEED.slice()),
    });
    expect(specBlock('invite', 'text link')).toBe(link);
    const read = parseInviteLink(link);
    const { size, root } = read.checkpoint;
    const seed = read.seed.use((bytes) => bytes.slice());
    const payload = encodeCbor([1, specExample('membership-log', 'org'), size, root, seed]);
    expect(toHex(payload)).toBe(toHex(example('payload')));
  });

  test('its checkpoint is met by the log that holds the invite', () => {
    const link = parseInviteLink(specBlock('invite', 'text link'));
    verifyCheckpoint(primitives, { wires: Object.values(wires) }, link.checkpoint);
    const key = link.seed.use((seed) => primitives.signer(seed));
    expect(inviteIdOf(primitives, key.publicKey)).toBe(toHex(example('invite-id')));
    expect(state.invites.has(inviteIdOf(primitives, key.publicKey))).toBe(true);
  });
});
