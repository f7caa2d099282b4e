import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { decodeRelayFrame, type RefusalCode, type RelayFrame } from '@keytide/relay-protocol';
import { seededWorld } from '@keytide/testkit';
import { expect, test } from 'vitest';
import { createDeviceRates } from '../src/device-rates.ts';
import { RelayError, type RelayErrorCode } from '../src/errors.ts';
import { createMetrics } from '../src/metrics.ts';
import { createPeer } from '../src/peer.ts';
import { appendOf } from './group.ts';

const world = seededWorld({ seed: 'peer', members: 1 });
const { org, state, clock } = world;

/** What a device hears when its append fails in this way. */
async function answersTo(code: RelayErrorCode): Promise<RelayFrame[]> {
  const frames: RelayFrame[] = [];
  const failing = () => Promise.reject(new RelayError(code, 'as the test wants it'));
  const peer = createPeer({
    organisation: { org, state },
    device: world.members[0].devices[0].id,
    outlet: {
      send: (frame) => void frames.push(decodeRelayFrame(frame)),
      isLagging: () => false,
      isBehind: () => false,
      drained: () => Promise.resolve(),
    },
    shared: {
      ...{ primitives, clock, timeline: new Uint8Array(16) },
      store: { readSealingRecords: failing },
      logs: { readEntries: failing, readNewestStatement: failing },
      queue: { append: failing, announce: failing, idle: () => Promise.resolve() },
      feeds: { follow: () => () => undefined, saw: () => undefined, pass: () => undefined },
      metrics: createMetrics(clock, '0'),
      ephemeralRates: createDeviceRates(clock, 1, 1),
    },
    upToDate: () => Promise.resolve(),
    failed: () => undefined,
  });
  await peer.handle(appendOf(world, 7));
  return frames;
}

test('a refusal answers the request; a failure of the relay ends the connection', async () => {
  const refusal: RefusalCode = 'unknown-epoch';
  expect(await answersTo(refusal)).toEqual([{ type: 'refused', requestId: 7, code: refusal }]);
  for (const code of ['database-failed', 'data-key-missing', 'data-damaged'] as const)
    await expect(answersTo(code)).rejects.toMatchObject({ code });
});
