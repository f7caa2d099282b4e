import {
  concatBytes,
  idBytes,
  parseEpochStatement,
  sealBox,
  toBase64Url,
  type EpochStatement,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom } from '@keytide/crypto-core/node';
import type { AddressedBox } from '@keytide/relay-protocol';
import { describe, expect, test } from 'vitest';
import { burgle, encapsulatorsOf } from './loot.ts';
import { goesOn, hears, says, unreadable, until, type Person, type Stage } from './stage.ts';

interface Announced {
  readonly statement: EpochStatement;
  readonly boxes: readonly AddressedBox[];
}

/** What the relay gives instead of the box that was sealed to this device. */
type BoxInstead = (announced: Announced) => Uint8Array | null;

/** A device opens only its own box, and uses only the key that the statement commits to. */
export function swappedBoxes(stage: () => Stage): void {
  describe("in place of a device's box", () => {
    test('the box of another device', async () => {
      const { ada, bo } = await strangers(stage());
      const codes = await unread(stage(), ada, bo, ({ boxes }) => {
        return boxes.find(({ device }) => device === ada.client.device)?.box ?? null;
      });
      expect(codes).toEqual(['tampered']);
    });

    test('a box with another key, sealed to the right device', async () => {
      const { ada, bo } = await strangers(stage());
      const { directory, device } = await burgle(bo);
      const recipient = encapsulatorsOf(directory).find((candidate) => candidate.device === device);
      const codes = await unread(stage(), ada, bo, ({ statement }) => {
        const context = concatBytes(statement.hash, idBytes(device));
        return sealBox(
          primitives,
          (recipient as NonNullable<typeof recipient>).encapsulator,
          context,
          nodeRandom(32),
        );
      });
      expect(codes).toEqual(['tampered']);
    });

    test('an altered box', async () => {
      const { ada, bo } = await strangers(stage());
      const codes = await unread(stage(), ada, bo, ({ boxes }) => {
        const box = boxes.find(({ device }) => device === bo.client.device)?.box.slice() as Uint8Array;
        box[1100] = (box[1100] as number) ^ 1;
        return box;
      });
      expect(codes).toEqual(['tampered']);
    });

    test('nothing', async () => {
      const { ada, bo } = await strangers(stage());
      expect(await unread(stage(), ada, bo, () => null)).toEqual(['key-not-yet-arrived']);
    });
  });
}

/** Two who have not written yet: the first message starts the first epoch. */
async function strangers(stage: Stage): Promise<{ ada: Person; bo: Person }> {
  const ada = await stage.found();
  return { ada, bo: await stage.admit(ada, 'bo') };
}

/** Swaps bo's box of the first epoch; the codes of what he cannot read. His own epoch brings them together again. */
async function unread({ hostile }: Stage, ada: Person, bo: Person, box: BoxInstead): Promise<string[]> {
  let announced: Announced | null = null;
  const relent = hostile.attack({
    toRelay(frame) {
      if (frame.type === 'announce') {
        const { boxes } = frame;
        announced = { statement: parseEpochStatement(primitives, frame.statement), boxes };
      }
      return [frame];
    },
    async call(call, forward) {
      if (call.who !== bo.client.device || !call.path.includes('/boxes/')) return await forward(call);
      const instead = announced === null ? null : box(announced);
      return instead === null
        ? { status: 404, body: { code: 'no-box', message: 'no box' } }
        : { status: 200, body: { box: toBase64Url(instead) } };
    },
  });
  await says(ada, 'sealed under a key that bo does not get');
  await until(() => unreadable(bo).length === 1, 'bo to be told');
  relent();
  await says(bo, 'I could not read that');
  await hears(ada, 'I could not read that');
  await goesOn(ada, bo);
  return unreadable(bo);
}
