import { createOrganisation, memoryDeviceStore } from '@keytide/client';
import { equalBytes } from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom } from '@keytide/crypto-core/node';
import {
  checkpointText,
  createInvite,
  logSignature,
  parseCheckpointText,
  parseNote,
  assembleNote,
  type LogCheckpoint,
} from '@keytide/key-directory';
import {
  forgeCheckpoint,
  forgeEntry,
  forgeMembershipLog,
  rollBackMembershipLog,
  swapRelayKey,
} from '@keytide/testkit/hostile-relay';
import { describe, expect, test } from 'vitest';
import { sizesIn, verdictOf } from './evidence.ts';
import { burgle, type Loot } from './loot.ts';
import { noonPorts, now } from './noon-ports.ts';
import { definition, failureCodes, goesOn, says, stops, until, type Person, type Stage } from './stage.ts';

type Checkpoint = LogCheckpoint;

/** What the relay signs of the membership log is held against what it shows, and against what it signed before. */
export function contradictoryCheckpoints(stage: () => Stage): void {
  /** Shows a person another note in place of the relay's newest, from now on, and lets the log grow. */
  async function shows(victim: Person, ada: Person, note: (true_: Uint8Array) => Uint8Array | null) {
    const relent = forgeCheckpoint(stage().hostile, victim.client.device, note);
    await ada.client.invite();
    return relent;
  }

  /** The relay's signature over what `change` makes of the true checkpoint. */
  function signed(change: (checkpoint: Checkpoint) => Partial<Checkpoint>, key = stage().relayKey.signer) {
    return (note: Uint8Array): Uint8Array => {
      const checkpoint = parseCheckpointText(parseNote(note).text);
      const changed = { ...checkpoint, ...change(checkpoint) };
      const { name, keyId } = logSignature(primitives, key, checkpoint);
      return assembleNote(checkpointText(changed), [
        { ...logSignature(primitives, key, changed), name, keyId },
      ]);
    };
  }

  /** An invite by the holder of ada's key, which continues the log. */
  function anotherInvite({ directory, signer }: Loot): Uint8Array {
    const nowMs = now();
    const context = { primitives, random: nodeRandom, state: directory, signer, nowMs };
    return createInvite({ ...context, role: 'member', expiresMs: nowMs + 60_000 }).wire;
  }

  describe('a checkpoint', () => {
    test.each<[string, (true_: Uint8Array) => Uint8Array | null]>([
      ['that is none', () => new Uint8Array([104, 105])],
      ['that nobody signed', (note) => renamed(note)],
      ['signed with another key', (note) => signed(() => ({}), primitives.signer(nodeRandom(32)))(note)],
      ['with another signature', (note) => flipped(note)],
      ['of another log, under this one’s name', (note) => signed(otherLog)(note)],
      ['of a longer log than is shown', (note) => signed(({ size }) => ({ size: size + 7 }))(note)],
      ['without the map', (note) => signed(() => ({ mapRoot: null }))(note)],
      ['that the relay, which has a key, no longer has', () => null],
    ])('%s: nothing goes to such a relay', async (_, note) => {
      const { ada, bo } = await stage().pair();
      const relent = await shows(bo, ada, note);
      await until(() => bo.failures.length > 0, 'bo to go offline');
      expect(failureCodes(bo)).toEqual(['relay-misbehaved']);
      await says(ada, 'bo is offline');
      relent();
      await goesOn(ada, bo);
    });

    test('of before, again: refused, with the newer one that the relay has signed since', async () => {
      const { ada, bo } = await stage().pair();
      let first: Uint8Array | null = null;
      let isStale = false;
      const relent = await shows(bo, ada, (note) => {
        first ??= note;
        return isStale ? first : note;
      });
      await goesOn(ada, bo);
      await ada.client.invite();
      await goesOn(ada, bo);
      isStale = true;
      await ada.client.invite();
      await until(() => bo.failures.length > 0, 'bo to go offline');
      expect(failureCodes(bo)).toEqual(['relay-misbehaved']);
      expect(sizesIn(stage(), bo.failures[0]?.evidence ?? [], bo)).toEqual([5, 4]);
      relent();
      await goesOn(ada, bo);
    });

    test('with another root: proved, against the one signed before', async () => {
      const { ada, bo } = await stage().pair();
      await shows(
        bo,
        ada,
        signed(({ size }) => ({ size: size - 1, root: nodeRandom(32) })),
      );
      const error = await stops(bo);
      expect(error.code).toBe('relay-forked');
      expect(verdictOf(stage(), error, bo)).toMatchObject({ claim: 'forked' });
      await expect(says(bo, 'to whom?')).rejects.toMatchObject({ code: 'relay-forked' });
    });

    test('with another map: proved, by the log itself', async () => {
      const { ada, bo } = await stage().pair();
      await shows(
        bo,
        ada,
        signed(() => ({ mapRoot: nodeRandom(32) })),
      );
      const error = await stops(bo);
      expect(error.code).toBe('relay-forked');
      expect(verdictOf(stage(), error, bo)).toMatchObject({ claim: 'wrong-map' });
    });

    test('over an entry that no rule allows: proved, by the log itself', async () => {
      const { ada, bo } = await stage().pair();
      const { directory } = await burgle(ada);
      const thief = await burgle(bo);
      const forged = forgeEntry(primitives, directory, thief.signer, {
        kind: 'role',
        member: bo.client.member,
        role: 'admin',
      });
      const { hostile, relayKey } = stage();
      // Another entry follows, so that the refused one is not the last that was signed.
      const rewrite = (wires: readonly Uint8Array[]) => [...wires.slice(0, 3), forged, forged];
      forgeMembershipLog(hostile, bo.client.device, rewrite, relayKey);
      await ada.client.invite();
      const error = await stops(bo);
      expect(error).toMatchObject({ code: 'relay-forked', cause: { code: 'not-permitted' } });
      expect(verdictOf(stage(), error, bo)).toMatchObject({
        claim: 'refused-entry',
        refused: { index: 3, code: 'not-permitted' },
      });
    });
  });

  describe('two logs, each by the rules, each signed', () => {
    test('one shown after the other, to a device that was away: proved', async () => {
      const { ada, bo } = await stage().pair();
      const { hostile, relayKey } = stage();
      const own = anotherInvite(await burgle(ada));
      const relent = forgeMembershipLog(hostile, bo.client.device, (w) => [...w.slice(0, 3), own], relayKey);
      await ada.client.invite();
      await until(() => bo.client.directorySize === 4, 'bo to be shown a log of his own');
      await bo.client.online();
      relent();
      await ada.client.invite();
      const again = await stage().reopen(bo);
      const error = await stops(again);
      expect(error.code).toBe('relay-forked');
      expect(verdictOf(stage(), error, bo)).toMatchObject({ claim: 'forked' });
    });

    test('the relay rolled back, with the note of then: refused, with both notes', async () => {
      const { ada, bo } = await stage().pair();
      const { hostile, relayKey } = stage();
      await ada.client.invite();
      await until(() => bo.client.directorySize === 4, 'bo to take the entry');
      await goesOn(ada, bo);
      rollBackMembershipLog(hostile, bo.client.device, 3, relayKey);
      const error = await stops(await stage().reopen(bo));
      expect(error.code).toBe('relay-forked');
      expect(sizesIn(stage(), error.evidence.slice(0, 2), bo)).toEqual([4, 3]);
    });

    test('the relay rolled back and grown anew: proved', async () => {
      const { ada, bo } = await stage().pair();
      const { hostile, relayKey } = stage();
      const own = anotherInvite(await burgle(ada));
      await ada.client.invite();
      await ada.client.invite();
      await until(() => bo.client.directorySize === 5, 'bo to take the entries');
      await goesOn(ada, bo);
      forgeMembershipLog(hostile, bo.client.device, (w) => [...w.slice(0, 3), own], relayKey);
      const error = await stops(await stage().reopen(bo));
      expect(error.code).toBe('relay-forked');
      expect(verdictOf(stage(), error, bo)).toMatchObject({ claim: 'forked' });
    });
  });

  describe('the relay’s key', () => {
    const swap = () => swapRelayKey(stage().hostile, primitives.signer(nodeRandom(32)).publicKey);
    const options = () => ({
      definition,
      ports: noonPorts,
      store: memoryDeviceStore(),
      relayUrl: stage().hostile.url,
      handle: 'ada',
    });
    const policy = { blockSeconds: 86_400, retentionSeconds: 86_400, exportSeconds: 86_400 };

    test('is in the policy from the first entry on', async () => {
      const ada = await stage().found();
      const { directory } = await burgle(ada);
      const { signer } = stage().relayKey;
      expect(equalBytes(directory.policy.relayKey as Uint8Array, signer.publicKey)).toBe(true);
    });

    test('swapped at the founding: refused where the policy names it, before the relay learns anything', async () => {
      swap();
      const relayKey = stage().relayKey.signer.publicKey;
      const calls: string[] = [];
      stage().hostile.attack({
        call: (call, forward) => {
          calls.push(call.path);
          return forward(call);
        },
      });
      await expect(
        createOrganisation({ ...options(), policy: { ...policy, relayKey } }),
      ).rejects.toMatchObject({
        code: 'relay-misbehaved',
      });
      expect(calls).toEqual(['/v1/health']);
    });

    test('swapped at the founding by somebody who has not the relay’s: the founder sends it nothing', async () => {
      swap();
      const sockets: string[] = [];
      let asked = 0;
      stage().hostile.attack({
        async call(call, forward) {
          if (call.path.endsWith('/log/checkpoint')) asked += 1;
          return await forward(call);
        },
        toRelay(frame) {
          sockets.push(frame.type);
          return [frame];
        },
      });
      const { clock } = noonPorts;
      // The first attempt to come online is the last one.
      const ports = { ...noonPorts, clock: { ...clock, wait: () => new Promise<void>(() => {}) } };
      void createOrganisation({ ...options(), ports });
      await until(() => asked > 0, 'the founder to ask for a checkpoint');
      await new Promise((resolve) => setTimeout(resolve, 200));
      expect(sockets).toEqual([]);
    });

    test('swapped later: nobody asks for it again', async () => {
      const { ada, bo } = await stage().pair();
      swap();
      await goesOn(ada, await stage().reopen(bo));
    });
  });
}

function otherLog(): Partial<Checkpoint> {
  return { origin: `keytide-log/v1/${'ab'.repeat(32)}` };
}

/** The same signature under a name that nobody knows. */
function renamed(note: Uint8Array): Uint8Array {
  const { text, signatures } = parseNote(note);
  return assembleNote(
    text,
    signatures.map((line) => ({ ...line, name: 'somebody' })),
  );
}

function flipped(note: Uint8Array): Uint8Array {
  const { text, signatures } = parseNote(note);
  return assembleNote(
    text,
    signatures.map((line) => ({
      ...line,
      signature: line.signature.map((byte, i) => (i === 5 ? byte ^ 1 : byte)),
    })),
  );
}
