import type { GroupEntry } from '@keytide/relay-protocol';
import { forgeGroupLog, type ForgedGroupLog } from '@keytide/testkit';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { burgle } from './loot.ts';
import { codesOf, heard, hears, says, unreadable, until, type Person, type Stage } from './stage.ts';

/** One place in each region of an envelope (docs/spec/envelope.md); negative ones count from the end. */
const REGIONS = {
  version: 0,
  suite: 1,
  'group, first byte': 2,
  'group, last byte': 33,
  'epoch, high byte': 34,
  'epoch, low byte': 37,
  'sender slot': 40,
  salt: 50,
  'channel in the routing': 62,
  'counter in the routing': 85,
  'sealed length': 86,
  'sealed signature': 90,
  'sealed body': 154,
  'sealed padding': -17,
  'tag, first byte': -16,
  'tag, last byte': -1,
};

/** A message that the relay altered is refused, whichever byte it was, and the conversation goes on. */
export function alteredMessages(stage: () => Stage): void {
  describe('an altered message', () => {
    let ada: Person;
    let bo: Person;
    let log: ForgedGroupLog;
    let message: Uint8Array;

    beforeAll(async () => {
      ({ ada, bo } = await stage().pair());
      log = forgeGroupLog(stage().hostile, bo.client.device);
      message = ((await burgle(ada)).entries.at(-1) as GroupEntry).bytes;
    });

    /** Shows `bo` each of these as the next message; how often it was refused as tampered with. */
    async function refused(envelopes: readonly Uint8Array[]): Promise<number> {
      const entries = envelopes.map((bytes) => ({ kind: 'envelope' as const, bytes }));
      const codes = await codesOf(ada, bo, () => log.insert(...entries));
      expect(new Set(codes)).toEqual(new Set(['tampered']));
      expect(bo.missing).toEqual([]);
      return codes.length;
    }

    test.each(Object.entries(REGIONS))('in its %s', async (_, place) => {
      expect(await refused([1, 128].map((bits) => flip(message, place, bits)))).toBe(2);
    });

    test('in any one bit, at random', async () => {
      const seed = Date.now() & 0x7fffffff;
      console.log(`altered-message: seed ${seed}`);
      const anyBit = fc.tuple(fc.nat(message.length - 1), fc.nat(7));
      const places = fc.sample(anyBit, { seed, numRuns: 1500 });
      expect(await refused(places.map(([place, bit]) => flip(message, place, 1 << bit)))).toBe(1500);
    });

    test('cut short, made longer, oversized, or replaced by nothing', async () => {
      const envelopes = [
        new Uint8Array(0),
        message.slice(0, 86),
        message.slice(0, 169),
        message.slice(0, -1),
        Uint8Array.from([...message, 0]),
        new Uint8Array(262_145),
      ];
      expect(await refused(envelopes)).toBe(envelopes.length);
    });

    test('of an unknown version or suite', async () => {
      const envelopes = [0, 2, 255].flatMap((number) => [
        Uint8Array.from([number, ...message.slice(1)]),
        Uint8Array.from([1, number, ...message.slice(2)]),
      ]);
      expect(await refused(envelopes)).toBe(6);
    });

    test('of another organisation, also under the name of this group', async () => {
      const other = await burgle((await stage().pair()).ada);
      const foreign = (other.entries.at(-1) as GroupEntry).bytes;
      const renamed = Uint8Array.from([...message.slice(0, 38), ...foreign.slice(38)]);
      expect(await refused([foreign, renamed])).toBe(2);
    });

    test('that is an epoch statement, and a statement that is a message', async () => {
      const [statement] = (await burgle(ada)).entries.filter(({ kind }) => kind === 'statement');
      const codes = await codesOf(ada, bo, () =>
        log.insert(
          { kind: 'envelope', bytes: (statement as GroupEntry).bytes },
          { kind: 'statement', bytes: message },
        ),
      );
      expect(codes).toEqual(['tampered', 'tampered']);
    });
  });

  test('a message altered in place of the true one is reported missing, and the log as different', async () => {
    const { ada, bo } = await stage().pair();
    let altering = true;
    forgeGroupLog(stage().hostile, bo.client.device, (entry) =>
      altering ? [{ ...entry, bytes: flip(entry.bytes, -1, 1) }] : [entry],
    );
    await says(ada, 'altered on its way');
    await until(() => unreadable(bo).length === 1, 'the altered message');
    altering = false;
    await says(ada, 'after the alteration');
    await hears(bo, 'after the alteration');
    expect(unreadable(bo)).toEqual(['tampered']);
    expect(heard(bo)).not.toContain('altered on its way');
    expect(bo.missing).toEqual([{ device: ada.client.device, from: 1, to: 1 }]);
    expect(bo.divergence.map(({ device }) => device)).toEqual([ada.client.device]);
    await says(bo, 'what I was given is not what you were given');
    await hears(ada, 'what I was given is not what you were given');
    expect(ada.divergence.map(({ device }) => device)).toEqual([bo.client.device]);
  });
}

function flip(bytes: Uint8Array, place: number, bits: number): Uint8Array {
  const altered = bytes.slice();
  const index = place < 0 ? bytes.length + place : place;
  altered[index] = (altered[index] as number) ^ bits;
  return altered;
}
