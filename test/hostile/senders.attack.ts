import { openMessage, type OpenedMessage } from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom } from '@keytide/crypto-core/node';
import type { GroupEntry } from '@keytide/relay-protocol';
import { forgeGroupLog, seededDevice, type ForgedGroupLog } from '@keytide/testkit';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  burgle,
  encapsulatorsOf,
  forgeEpoch,
  forgeMessage,
  lastMessageOf,
  stolenEpoch,
  type Loot,
} from './loot.ts';
import { rawLogin } from './raw-session.ts';
import { remove } from './removal.ts';
import { now } from './noon-ports.ts';
import { codesOf, heard, hears, says, until, type Person, type Stage } from './stage.ts';

/** Only devices that the membership log names can speak, whatever keys they hold. */
export function uninvitedSenders(stage: () => Stage): void {
  describe('a ghost device that has stolen the epoch key', () => {
    let ada: Person;
    let bo: Person;
    let loot: Loot;
    let log: ForgedGroupLog;
    const ghost = seededDevice(primitives, nodeRandom, now());

    beforeAll(async () => {
      ({ ada, bo } = await stage().pair());
      loot = await burgle(ada);
      log = forgeGroupLog(stage().hostile, bo.client.device);
    });

    const shows = (entry: GroupEntry): Promise<string[]> => codesOf(ada, bo, () => log.insert(entry));

    test('cannot write under its own name', async () => {
      const keys = await stolenEpoch(loot, 1, [{ device: ghost.id, signer: ghost.signer }]);
      const like = lastMessageOf(loot, keys, ada.client.device);
      expect(await shows(forgeMessage(keys, { device: ghost.id, signer: ghost.signer }, like))).toEqual([
        'tampered',
      ]);
    });

    test("cannot write under a member's name", async () => {
      const author = { device: ada.client.device, signer: ghost.signer };
      const honest = await stolenEpoch(loot, 1);
      const like = lastMessageOf(loot, honest, ada.client.device);
      expect(await shows(forgeMessage(await stolenEpoch(loot, 1, [author]), author, like))).toEqual([
        'tampered',
      ]);
    });

    test('cannot hide between true messages that come as one run', async () => {
      const pair = await stage().pair();
      const { hostile } = stage();
      const victim = pair.bo.client.device;
      const adas = await burgle(pair.ada);
      const honest = await stolenEpoch(adas, 1);
      const author = { device: adas.device, signer: ghost.signer };
      const first = forgeMessage(honest, adas, lastMessageOf(adas, honest, adas.device));
      const after = openMessage(honest, first.bytes);
      const second = forgeMessage(honest, adas, after);
      const lie = forgeMessage(await stolenEpoch(adas, 1, [author]), author, after);
      forgeGroupLog(hostile, victim).insert(first, lie, second);
      await until(() => hostile.givenTo(victim)?.seq === 6, 'the run to be shown');
      await until(() => pair.bo.client.unreadable.length > 0, 'bo to refuse one of them');
      expect(pair.bo.client.unreadable).toEqual([{ seq: 5, code: 'tampered' }]);
      expect(heard(pair.bo).filter((text) => text === 'hello from ada')).toHaveLength(3);
      expect(pair.bo.missing).toEqual([]);
    });

    test('cannot start an epoch', async () => {
      const { entry } = await forgeEpoch(loot, {
        signer: ghost.signer,
        author: ghost.id,
        recipients: [
          ...encapsulatorsOf(loot.directory),
          { device: ghost.id, encapsulator: primitives.encapsulator(ghost.own.sealingPublicKey) },
        ],
      });
      expect(await shows(entry)).toEqual(['device-not-certified']);
    });

    test('cannot stop others by a false claim about the membership log', async () => {
      const { entry } = await forgeEpoch(loot, {
        signer: ghost.signer,
        author: ghost.id,
        checkpoint: { size: loot.directory.size, root: new Uint8Array(32) },
        recipients: [{ device: ghost.id, encapsulator: primitives.encapsulator(ghost.own.sealingPublicKey) }],
      });
      expect(await shows(entry)).toEqual(['device-not-certified']);
    });
  });

  describe('a removed device, the relay its accomplice', () => {
    let ada: Person;
    let bo: Person;
    let eve: Loot;
    let like: OpenedMessage;
    let log: ForgedGroupLog;

    beforeAll(async () => {
      const pair = await stage().pair();
      ({ ada, bo } = pair);
      const person = await stage().admit(ada, 'eve');
      await says(person, 'hello from eve');
      await hears(bo, 'hello from eve');
      await hears(ada, 'hello from eve');
      eve = await burgle(person);
      like = lastMessageOf(eve, await stolenEpoch(eve, 2), eve.device);
      await remove(stage(), ada, person);
      await until(() => bo.client.directorySize === eve.directory.size + 1, 'bo to learn of the removal');
      await says(ada, 'eve is gone');
      await hears(bo, 'eve is gone');
      log = forgeGroupLog(stage().hostile, bo.client.device);
    });

    const shows = (entry: GroupEntry): Promise<string[]> => codesOf(ada, bo, () => log.insert(entry));

    test('gets no key of the epoch after, nor into the relay', async () => {
      expect(bo.client.epoch).toBe(3);
      expect(bo.client.members().map(({ handle }) => handle)).toEqual(['ada', 'bo']);
      const login = { url: stage().hostile.url, relayName: stage().hostile.url, org: ada.client.org };
      const subject = { kind: 'device', id: eve.device } as const;
      expect((await rawLogin({ ...login, subject, signer: eve.signer })).body.code).toBe('login-refused');
    });

    test('cannot write on in the epoch it has the key of', async () => {
      expect(await shows(forgeMessage(await stolenEpoch(eve, 2), eve, like))).toEqual(['removed']);
    });

    test('cannot stop others by a false claim in a message', async () => {
      const heads = { ...like.heads, directory: { size: 999, root: new Uint8Array(32) } };
      expect(await shows(forgeMessage(await stolenEpoch(eve, 2), eve, like, { heads }))).toEqual(['removed']);
    });

    test('cannot start an epoch on the log as it was before', async () => {
      const epochs = (await burgle(bo)).statements;
      const { epoch, hash } = epochs.at(-1) as (typeof epochs)[number];
      const { entry } = await forgeEpoch(eve, { previous: { epoch, hash } });
      expect(await shows(entry)).toEqual(['tampered']);
    });

    test('cannot start an epoch on the log as it is', async () => {
      const loot = await burgle(bo);
      const { epoch, hash } = loot.statements.at(-1) as Loot['statements'][number];
      const { size, root } = loot.directory;
      const { entry } = await forgeEpoch(eve, {
        previous: { epoch, hash },
        checkpoint: { size, root },
      });
      expect(await shows(entry)).toEqual(['device-not-certified']);
    });

    test('cannot stop others by a false claim in a statement', async () => {
      const { entry } = await forgeEpoch(eve, { checkpoint: { size: 999, root: new Uint8Array(32) } });
      expect(await shows(entry)).toEqual(['device-not-certified']);
    });
  });
}
