import { memoryKeyStore, Secret } from '@keytide/crypto-core';
import { expect, test } from 'vitest';
import { AccessDecisions } from '../src/access-decisions.ts';
import { Answering, type AnsweringOptions } from '../src/access-answering.ts';
import { accessWorld } from './access-world.ts';

test('a request that names an epoch of which an admin has not heard is left alone until it has', async () => {
  const { world, primitives, alice, carol, ask, wireAt } = accessWorld('an epoch to come');
  const { state } = world;
  let newest = 4;
  const shown = [ask(carol), ask(carol, { firstEpoch: 2, lastEpoch: 4 })];
  const outlineOf = (epoch: number) =>
    epoch > newest
      ? null
      : { epoch, checkpoint: { size: state.size, root: state.root }, blockEndMs: world.clock.now() };
  const answering = new Answering({
    log: {
      ports: { primitives },
      self: { device: alice.id },
      directory: {
        state,
        size: state.size,
        wires: (from: number) => [wireAt(from)],
        rootAt: (size: number) => (size === state.size ? state.root : null),
      },
      pullDirectory: async () => {},
    },
    api: { requests: async () => shown.map(({ wire }) => wire) },
    decisions: await AccessDecisions.open(memoryKeyStore()),
    epochs: {
      get current() {
        return { epoch: newest };
      },
      statementOf: outlineOf,
      keyOf: async () => Secret.own(new Uint8Array(32)),
    },
    now: () => world.clock.now(),
    isChanged: () => false,
    tell: () => {},
  } as unknown as AnsweringOptions);
  const [ahead, known] = shown.map(({ id }) => id);
  expect(await answering.look()).toEqual([known]);
  expect(answering.isBehind).toBe(true);
  expect(answering.inbox).toEqual([]);
  newest = 5;
  expect(await answering.look()).toEqual([ahead, known]);
  expect(answering.isBehind).toBe(false);
});
