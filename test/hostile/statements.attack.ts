import type { EpochStatement } from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom } from '@keytide/crypto-core/node';
import { replay } from '@keytide/key-directory';
import type { GroupEntry } from '@keytide/relay-protocol';
import { forgeGroupLog, seededDevice, type ForgedGroupLog } from '@keytide/testkit';
import { beforeAll, describe, expect, test } from 'vitest';
import { burgle, encapsulatorsOf, forgeEpoch, type Loot } from './loot.ts';
import { now } from './noon-ports.ts';
import { codesOf, heard, hears, says, unreadable, until, type Person, type Stage } from './stage.ts';

/** An epoch starts only as the membership log and the epoch before it say. */
export function forgedStatements(stage: () => Stage): void {
  describe('an epoch statement', () => {
    let ada: Person;
    let bo: Person;
    /** A member who would cheat the others, and the relay helps. */
    let cy: Loot;
    let log: ForgedGroupLog;
    const ghost = seededDevice(primitives, nodeRandom, now());

    beforeAll(async () => {
      ({ ada, bo } = await stage().pair());
      const person = await stage().admit(ada, 'cy');
      await says(person, 'hello from cy');
      await hears(bo, 'hello from cy');
      await hears(ada, 'hello from cy');
      cy = await burgle(person);
      log = forgeGroupLog(stage().hostile, bo.client.device);
    });

    const shows = (...entries: GroupEntry[]): Promise<string[]> =>
      codesOf(ada, bo, () => log.insert(...entries));

    test('altered at any of its bytes', async () => {
      const { entry } = await forgeEpoch(cy);
      const places = Array.from({ length: 150 }, (_, i) => Math.floor((i * entry.bytes.length) / 150));
      const altered = places.map((place) => ({ kind: entry.kind, bytes: flip(entry.bytes, place) }));
      const codes = await shows(...altered);
      expect(codes).toHaveLength(150);
      // An altered author is a device that nobody knows.
      expect(new Set(codes)).toEqual(new Set(['tampered', 'device-not-certified']));
      expect(bo.client.epoch).toBe(2);
    });

    test('with one recipient too many', async () => {
      const { entry } = await forgeEpoch(cy, {
        recipients: [
          ...encapsulatorsOf(cy.directory),
          { device: ghost.id, encapsulator: primitives.encapsulator(ghost.own.sealingPublicKey) },
        ],
      });
      expect(await shows(entry)).toEqual(['tampered']);
    });

    test('with one recipient too few', async () => {
      const others = encapsulatorsOf(cy.directory).filter(({ device }) => device !== bo.client.device);
      expect(await shows((await forgeEpoch(cy, { recipients: others })).entry)).toEqual(['tampered']);
    });

    test('with another device in the place of a recipient', async () => {
      const recipients = encapsulatorsOf(cy.directory).map((recipient) =>
        recipient.device === bo.client.device ? { ...recipient, device: ghost.id } : recipient,
      );
      expect(await shows((await forgeEpoch(cy, { recipients })).entry)).toEqual(['tampered']);
    });

    test('on an older membership log than the epoch before', async () => {
      const state = replay(primitives, cy.wires.slice(0, -1));
      const { size, root } = state;
      const recipients = [...encapsulatorsOf(state), ...encapsulatorsOf(cy.directory)].filter(
        ({ device }, i, all) => all.findIndex((other) => other.device === device) === i,
      );
      const { entry } = await forgeEpoch(cy, { checkpoint: { size, root }, recipients });
      expect(await shows(entry)).toEqual(['tampered']);
    });

    test('that follows another epoch than the newest, or skips one', async () => {
      const [first, second] = cy.statements as [EpochStatement, EpochStatement];
      const wrongHash = await forgeEpoch(cy, { previous: { epoch: 2, hash: first.hash } });
      const again = await forgeEpoch(cy, { previous: { epoch: 1, hash: first.hash } });
      const skips = await forgeEpoch(cy, { previous: { epoch: 3, hash: second.hash } });
      const anew = await forgeEpoch(cy, {
        previous: null,
        reason: 'first',
        closing: { group: second.closing.group, senders: [] },
      });
      expect(await shows(wrongHash.entry, again.entry, skips.entry, anew.entry)).toEqual([
        'tampered',
        'tampered',
        'tampered',
        'tampered',
      ]);
    });

    test('replayed', async () => {
      const statements = cy.entries.filter(({ kind }) => kind === 'statement');
      expect(await shows(...statements)).toEqual(['tampered', 'tampered']);
    });

    test('of another organisation or another group', async () => {
      const other = await stage().pair();
      const foreign = (await burgle(other.ada)).entries.filter(({ kind }) => kind === 'statement');
      const { entry } = await forgeEpoch(cy, { group: 'ab'.repeat(32) as Loot['group'] });
      expect(await shows(...foreign, entry)).toEqual(['tampered', 'tampered']);
    });

    test('with a block that is not one of the policy', async () => {
      const { blockStartMs, blockEndMs } = cy.statements[1] as EpochStatement;
      const { entry } = await forgeEpoch(cy, { blockStartMs, blockEndMs: blockEndMs + 86_400_000 });
      expect(await shows(entry)).toEqual(['tampered']);
    });

    test('nobody ever moved to a forged epoch', () => {
      expect([ada.client.epoch, bo.client.epoch]).toEqual([2, 2]);
    });
  });

  test('an epoch of his own for each: neither reads the other, and both are told', async () => {
    const { ada, bo } = await stage().pair();
    let own: Uint8Array | null = null;
    // Bo's own statement is kept from everybody else and shown to him as if it had won.
    const log = forgeGroupLog(stage().hostile, bo.client.device, (entry) =>
      entry.kind === 'statement' ? [] : [entry],
    );
    stage().hostile.attack({
      victim: bo.client.device,
      toRelay(frame, link) {
        if (frame.type !== 'announce') return [frame];
        own = frame.boxes.find(({ device }) => device === bo.client.device)?.box ?? own;
        log.insert({ kind: 'statement', bytes: frame.statement });
        link.toClient({ type: 'appended', requestId: frame.requestId, seqs: [log.size] });
        return [];
      },
      async call(call, forward) {
        if (!call.path.includes('/boxes/') || own === null) return await forward(call);
        return { status: 200, body: { box: Buffer.from(own).toString('base64url') } };
      },
    });
    await stage().admit(ada, 'cy');
    await until(() => bo.client.directorySize === 5, 'bo to learn of cy');
    await says(ada, 'to the true epoch');
    await until(() => unreadable(bo).length === 1, 'bo to be told');
    await says(bo, 'to an epoch of his own');
    await until(() => unreadable(ada).length === 1, 'ada to be told');
    expect([ada.client.epoch, bo.client.epoch]).toEqual([2, 2]);
    expect([...unreadable(ada), ...unreadable(bo)]).toEqual(['tampered', 'tampered']);
    expect(heard(bo)).not.toContain('to the true epoch');
    expect(heard(ada)).not.toContain('to an epoch of his own');
  });
}

function flip(bytes: Uint8Array, place: number): Uint8Array {
  const altered = bytes.slice();
  altered[place] = (altered[place] as number) ^ 1;
  return altered;
}
