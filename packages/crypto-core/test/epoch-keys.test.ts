import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  concatBytes,
  hkdfExpand,
  idBytes,
  keyCommitment,
  labelled,
  labelledHash,
  uint32Bytes,
  uint64Bytes,
  type EpochKeys,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { openedWorld, type TestDevice } from './world.ts';

const world = await openedWorld('epoch keys');
const keys = world.keysOf(world.author);
const { hash } = world.statement;
const expand = (key: Uint8Array, info: Uint8Array, size: number) => hkdfExpand(primitives, key, info, size);
const fromEpochKey = (info: Uint8Array, size: number) =>
  world.created.key.use((key) => expand(key, info, size));

const exactly = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const places = fc.record({
  who: fc.nat(2),
  channel: exactly(16),
  counter: fc.maxSafeNat(),
  salt: exactly(16),
  start: exactly(62),
  routing: exactly(24),
  body: fc.uint8Array({ maxLength: 700 }),
});

// One `EpochKeys` for all of these: what a message leaves in the prepared buffers must not reach the next.
test('what is derived for each message is what the specification says, spelled out', () => {
  fc.assert(
    fc.property(places, ({ who, channel, counter, salt, start, routing, body }) => {
      const device = world.devices[who] as TestDevice;
      const sender = keys.senderOf(device.id) as NonNullable<ReturnType<EpochKeys['senderOf']>>;
      const place = { channel, sender, counter, salt };
      const mask = fromEpochKey(labelled('routing', start), 24);
      expect(keys.maskRouting(start, routing)).toEqual(mask.map((byte, i) => byte ^ (routing[i] as number)));

      const channelKey = fromEpochKey(labelled('channelKey', channel), 32);
      const info = labelled('messageKey', hash, idBytes(device.id), uint64Bytes(counter), salt);
      expect(keys.messageKey(place)).toEqual(expand(channelKey, info, 32));

      const context = concatBytes(
        Uint8Array.of(1),
        idBytes(world.org),
        idBytes(world.group),
        channel,
        uint32Bytes(1),
        hash,
        idBytes(device.id),
        uint64Bytes(counter),
        keyCommitment(primitives, world.statement, world.created.key),
      );
      expect(keys.signedContext(place)).toEqual(context);
      expect(keys.messageDigest(place, body)).toEqual(labelledHash(primitives, 'message', context, body));
    }),
  );
});

test('a slot is found for each sender, and none for eight other bytes', () => {
  for (const { id } of world.devices) {
    const slot = fromEpochKey(labelled('senderSlot', idBytes(id)), 8);
    const framed = concatBytes(Uint8Array.of(9, 9), slot);
    expect(keys.senderAt(framed, 2)?.device).toBe(id);
    expect(keys.senderOf(id)?.slot).toEqual(slot);
    for (let at = 0; at < 8; at += 1) {
      const other = slot.slice();
      other[at] = (other[at] as number) ^ 0x80;
      expect(keys.senderAt(other, 0)).toBeNull();
    }
    expect(keys.senderAt(slot.subarray(0, 7), 0)).toBeNull();
  }
});
