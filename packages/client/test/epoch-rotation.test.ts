import type { EpochKeys } from '@keytide/crypto-core';
import { expect, test } from 'vitest';
import { ClientError } from '../src/errors.ts';
import { EpochRotation } from '../src/epoch-rotation.ts';

const END_MS = 1_000;
const held = {} as EpochKeys;

/** A rotation that is due and that `code` keeps from starting an epoch. */
function keptFrom(
  code: ClientError['code'],
  epochs: { currentKeys: EpochKeys | null; isExposed: boolean },
  nowMs: number,
): Promise<EpochKeys> {
  const refuse = (): Promise<never> => Promise.reject(new ClientError(code, 'kept from it'));
  const connection = { state: { kind: 'online' }, socket: {}, until: () => Promise.resolve() };
  const options = {
    ports: { clock: { now: () => nowMs } },
    connection,
    epochs: { ...epochs, endMs: END_MS, current: null, needsRotation: () => true },
    api: {},
    sealingRecords: { pull: () => Promise.resolve() },
    pullDirectory: () => Promise.resolve(),
    demandWitnesses: code === 'unwitnessed' ? refuse : () => Promise.resolve(),
    sealingReady: refuse,
  };
  return new EpochRotation(options as unknown as ConstructorParameters<typeof EpochRotation>[0]).keys();
}

test.each(['unwitnessed', 'not-ready'] as const)(
  'a device that is %s writes under the key it has, until its time is over, and not where somebody removed has it',
  async (code) => {
    const good = { currentKeys: held, isExposed: false };
    await expect(keptFrom(code, good, END_MS - 1)).resolves.toBe(held);
    await expect(keptFrom(code, good, END_MS)).rejects.toMatchObject({ code });
    await expect(keptFrom(code, { ...good, isExposed: true }, 0)).rejects.toMatchObject({ code });
    await expect(keptFrom(code, { ...good, currentKeys: null }, 0)).rejects.toMatchObject({ code });
  },
);

test('any other reason is told', async () => {
  const good = { currentKeys: held, isExposed: false };
  await expect(keptFrom('relay-misbehaved', good, 0)).rejects.toMatchObject({ code: 'relay-misbehaved' });
});
