import { openMessage, parseEnvelopeHeader, type MemberId } from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom } from '@keytide/crypto-core/node';
import {
  forgeAddDevice,
  forgeEntry,
  forgeJoin,
  forgeMembershipLog,
  seededDevice,
} from '@keytide/testkit/hostile-relay';
import { describe, expect, test } from 'vitest';
import { burgle, stolenEpoch, type Loot } from './loot.ts';
import { remove } from './removal.ts';
import { now } from './noon-ports.ts';
import { failureCodes, goesOn, heard, hears, says, stops, until, type Person, type Stage } from './stage.ts';

type Rewrite = (wires: readonly Uint8Array[]) => readonly Uint8Array[];

/** A contradictory membership log stops a device, with evidence: to go on would be to guess who reads along. */
export function contradictoryMembershipLogs(stage: () => Stage): void {
  /** Shows bo a forged log, after ada has added two entries to the true one; why he stops. */
  async function stopsAt(rewrite: (loot: Loot) => Rewrite, people?: { ada: Person; bo: Person }) {
    const { ada, bo } = people ?? (await stage().pair());
    const { hostile } = stage();
    forgeMembershipLog(hostile, bo.client.device, rewrite(await burgle(ada)));
    await ada.client.invite();
    await ada.client.invite();
    const error = await stops(bo);
    await expect(says(bo, 'to whom?')).rejects.toMatchObject({ code: error.code });
    const before = heard(bo);
    await says(ada, 'after bo has stopped');
    await ada.client.settled();
    expect(heard(bo)).toEqual(before);
    expect(bo.client.members().map(({ handle }) => handle)).toEqual(['ada', 'bo']);
    return { error, ada, bo };
  }

  describe('a membership log', () => {
    test.each<[string, Rewrite]>([
      ['with an altered entry', (wires) => wires.map((wire, i) => (i === 3 ? flip(wire) : wire))],
      ['with an entry dropped', (wires) => wires.filter((_, i) => i !== 3)],
      ['with an entry twice', (wires) => [...wires.slice(0, 3), wires[2] as Uint8Array, ...wires.slice(3)]],
      ['in another order', ([a, b, c, d, e]) => [a, b, c, e, d].filter((wire) => wire !== undefined)],
      ['with an entry of nonsense', (wires) => [...wires.slice(0, 3), new Uint8Array([1, 2, 3])]],
      ['rolled back', (wires) => wires.slice(0, 2)],
      ['rolled back to nothing', () => []],
    ])('%s', async (_, rewrite) => {
      const { error } = await stopsAt(() => rewrite);
      expect(error.code).toBe('relay-forked');
      expect(error.evidence.length).toBeGreaterThan(0);
    });

    test('with a ghost that joined by nobody’s invite', async () => {
      const ghost = seededDevice(primitives, nodeRandom, now());
      const { error } = await stopsAt((loot) => (wires) => {
        return [...wires.slice(0, 3), forgeJoin(primitives, loot.directory, ghost)];
      });
      expect(error).toMatchObject({ code: 'relay-forked', cause: { code: 'invite-unknown' } });
      // The last true entry, and the signed one that contradicts it.
      expect(error.evidence).toHaveLength(2);
    });

    test('with a ghost device given to a true member', async () => {
      const ghost = seededDevice(primitives, nodeRandom, now());
      const { error } = await stopsAt((loot) => (wires) => {
        const [member] = loot.directory.members.keys();
        return [...wires.slice(0, 3), forgeAddDevice(primitives, loot.directory, ghost, member as MemberId)];
      });
      expect(error).toMatchObject({ code: 'relay-forked', cause: { code: 'invite-unknown' } });
    });

    test('in which a member takes a right that is not theirs', async () => {
      const { ada, bo } = await stage().pair();
      const thief = await burgle(bo);
      const { error } = await stopsAt(
        (loot) => (wires) => [
          ...wires.slice(0, 3),
          forgeEntry(primitives, loot.directory, thief.signer, {
            kind: 'role',
            member: bo.client.member,
            role: 'admin',
          }),
        ],
        { ada, bo },
      );
      expect(error).toMatchObject({ code: 'relay-forked', cause: { code: 'not-permitted' } });
      expect(bo.client.members().map(({ role }) => role)).toEqual(['admin', 'member']);
    });

    test('that has grown and is not shown: asked for until it is', async () => {
      const { ada, bo } = await stage().pair();
      const relent = stage().hostile.attack({
        victim: bo.client.device,
        async call(call, forward) {
          if (!call.path.includes('/log?')) return await forward(call);
          return { status: 200, body: { entries: [], size: 99 } };
        },
      });
      const [link] = stage().hostile.linksOf(bo.client.device);
      link?.toClient({ type: 'directory', size: 99 });
      await until(() => bo.client.state.kind === 'offline', 'bo to go offline');
      expect(failureCodes(bo)).toEqual(['relay-misbehaved']);
      relent();
      await goesOn(ada, bo);
    });
  });

  describe('members shown different membership logs find out when they talk', () => {
    test('an entry withheld from one of them: nothing is read or sent until it is shown', async () => {
      const { ada, bo } = await stage().pair();
      const relent = forgeMembershipLog(stage().hostile, bo.client.device, (wires) => wires.slice(0, 3));
      await stage().admit(ada, 'cy');
      await says(ada, 'hello both');
      await until(() => bo.failures.length > 0, 'bo to find out');
      expect(heard(bo)).not.toContain('hello both');
      expect([failureCodes(bo), bo.client.epoch]).toEqual([['relay-misbehaved'], 1]);
      relent();
      await hears(bo, 'hello both');
      await goesOn(ada, bo);
    });

    test('a removal withheld from one of them: the removed read nothing that is written meanwhile', async () => {
      const { ada, bo } = await stage().pair();
      const eve = await stage().admit(ada, 'eve');
      await goesOn(ada, bo);
      const keys = await stolenEpoch(await burgle(eve), 2);
      const known = bo.client.directorySize;
      const relent = forgeMembershipLog(stage().hostile, bo.client.device, (wires) => wires.slice(0, known));
      await remove(stage(), ada, eve);
      await until(() => ada.client.members().length === 2, 'ada to learn of the removal');
      await says(ada, 'eve is gone');
      await until(() => bo.failures.length > 0, 'bo to find out');
      expect(failureCodes(bo)).toEqual(['relay-misbehaved']);
      await says(bo, 'does eve read this?');
      relent();
      await hears(ada, 'does eve read this?');
      await goesOn(ada, bo);
      const texts = (await burgle(ada)).entries
        .filter(({ kind, bytes }) => kind === 'envelope' && parseEnvelopeHeader(bytes).epoch === 2)
        .map(({ bytes }) => new TextDecoder().decode(openMessage(keys, bytes).payload));
      expect(texts.length).toBeGreaterThan(0);
      expect(texts.filter((text) => text.includes('does eve read this?'))).toEqual([]);
    });

    test('two admins, each with a log of their own', async () => {
      const ada = await stage().found();
      const bo = await stage().admit(ada, 'bo', { role: 'admin' });
      await goesOn(ada, bo);
      const own: Uint8Array[] = [];
      stage().hostile.attack({
        victim: bo.client.device,
        async call(call, forward) {
          if (call.method !== 'POST' || !call.path.endsWith('/log')) return await forward(call);
          const { entry } = call.body as { entry: string };
          own.push(new Uint8Array(Buffer.from(entry, 'base64url')));
          return { status: 201, body: { index: 2 + own.length } };
        },
      });
      const { hostile, relayKey } = stage();
      forgeMembershipLog(hostile, bo.client.device, (wires) => [...wires.slice(0, 3), ...own], relayKey);
      await bo.client.invite();
      await ada.client.invite();
      expect([ada.client.directorySize, bo.client.directorySize]).toEqual([4, 4]);
      await says(bo, 'signed over another log');
      const error = await stops(ada);
      expect(error).toMatchObject({ code: 'relay-forked' });
      expect(error.evidence).toHaveLength(1);
      expect(heard(ada)).not.toContain('signed over another log');
    });
  });
}

function flip(wire: Uint8Array): Uint8Array {
  const altered = wire.slice();
  altered[wire.length - 1] = (altered[wire.length - 1] as number) ^ 1;
  return altered;
}
