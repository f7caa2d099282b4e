import { archiveRecipient, openEpochBox } from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom } from '@keytide/crypto-core/node';
import { archiveOf, type Policy } from '@keytide/key-directory';
import { forgeGroupLog, type ForgedGroupLog } from '@keytide/testkit';
import { beforeAll, describe, expect, test } from 'vitest';
import { burgle, encapsulatorsOf, forgeEpoch, type Loot } from './loot.ts';
import { codesOf, goesOn, says, until, type Person, type Stage } from './stage.ts';

/** Which archive an epoch is for is the membership log's word: neither the relay's nor that of who makes the epoch. */
export function forgedArchives(stage: () => Stage): void {
  describe('an archive key', () => {
    let ada: Person;
    let bo: Person;
    /** A member who would read on for ever, or leave nothing to be read, and the relay helps. */
    let cy: Loot;
    /** The policy without an archive key. */
    let without: Policy;
    let log: ForgedGroupLog;
    const archiveKey = primitives.decapsulator(nodeRandom(32));
    const own = encapsulatorOf(primitives.decapsulator(nodeRandom(32)).publicKey);

    beforeAll(async () => {
      ({ ada, bo } = await stage().pair());
      const person = await stage().admit(ada, 'cy');
      without = ada.client.policy;
      await ada.client.setPolicy((policy) => ({ ...policy, archiveKey: archiveKey.publicKey }));
      await goesOn(ada, person);
      await goesOn(ada, bo);
      await until(() => person.client.epoch === bo.client.epoch, 'cy to know of the newest epoch');
      cy = await burgle(person);
      log = forgeGroupLog(stage().hostile, bo.client.device);
    });

    const right = () => encapsulatorsOf(cy.directory);
    const archive = () => archiveOf(primitives, cy.directory)?.device;
    const shows = async (recipients: ReturnType<typeof right>): Promise<string[]> => {
      const { entry } = await forgeEpoch(cy, { recipients });
      return await codesOf(ada, bo, () => log.insert(entry));
    };

    test('left out of an epoch', async () => {
      expect(await shows(right().filter(({ device }) => device !== archive()))).toEqual(['tampered']);
    });

    test('of somebody else, in the place of the organisation’s', async () => {
      expect(await shows([...right().filter(({ device }) => device !== archive()), own])).toEqual([
        'tampered',
      ]);
    });

    test('of somebody else, beside the organisation’s', async () => {
      expect(await shows([...right(), own])).toEqual(['tampered']);
    });

    test('whose box the relay swaps or withholds, opens nothing else', async () => {
      const { epoch } = ada.client;
      const statement = cy.statements.at(-1);
      if (statement?.epoch !== epoch) throw new Error('cy knows of another epoch');
      const open = (box: Uint8Array): void =>
        openEpochBox(primitives, [archiveKey], statement, own.device, box).dispose();
      const box = (await ada.client.archiveBox(epoch)) as Uint8Array;
      const device = archive() as typeof own.device;
      openEpochBox(primitives, [archiveKey], statement, device, box).dispose();
      expect(() => open(box)).toThrow(expect.objectContaining({ code: 'decryption-failed' }));
      let answer: { status: number; body: unknown } = { status: 200, body: { box: 'A'.repeat(1_560) } };
      const relent = stage().hostile.attack({
        call: async (call, forward) => (call.path.includes('/boxes/') ? answer : await forward(call)),
      });
      const swapped = (await ada.client.archiveBox(epoch)) as Uint8Array;
      expect(() => openEpochBox(primitives, [archiveKey], statement, device, swapped)).toThrow(
        expect.objectContaining({ code: 'decryption-failed' }),
      );
      answer = { status: 404, body: { code: 'no-box', message: 'none' } };
      expect(await ada.client.archiveBox(epoch)).toBeNull();
      relent();
    });

    test('that the policy no longer has', async () => {
      const before = ada.client.epoch;
      await ada.client.setPolicy(() => without);
      // Nobody writes: whoever has that key must not read on until somebody does.
      await until(() => bo.client.epoch > before, 'an epoch without the archive');
      await says(ada, 'not for an archive');
      expect(await ada.client.archiveBox(bo.client.epoch)).toBeNull();
      expect(await ada.client.archiveBox(before)).toHaveLength(1_168);
    });
  });
}

function encapsulatorOf(publicKey: Uint8Array) {
  return {
    device: archiveRecipient(primitives, publicKey),
    encapsulator: primitives.encapsulator(publicKey),
  };
}
