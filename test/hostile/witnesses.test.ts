import { connect } from '@keytide/client';
import { decodeUtf8, type Signer } from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom } from '@keytide/crypto-core/node';
import {
  assembleNote,
  checkpointText,
  cosignature,
  logNoteKey,
  logSignature,
  originOf,
  parseCheckpointText,
  parseNote,
  verifyForkProof,
  verifyNote,
  type LogCheckpoint,
  type NoteSignature,
} from '@keytide/key-directory';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { burgle } from './loot.ts';
import { noonPorts, now } from './noon-ports.ts';
import {
  definition,
  failureCodes,
  goesOn,
  openStage,
  says,
  stops,
  until,
  type Person,
  type Stage,
} from './stage.ts';

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
});
afterEach(() => stage.clear());
afterAll(() => stage.close());

const MAX_AGE_SECONDS = 3600;
const nowSeconds = (): number => Math.floor(now() / 1000);

/** What a relay makes of the notes it has: texts, in place of those. */
type Notes = (notes: readonly Uint8Array[], true_: LogCheckpoint) => readonly Uint8Array[];

/** An organisation that demands two witnesses, ada and dee; bo is a member. */
async function witnessed() {
  const { ada, bo } = await stage.pair();
  const dee = await stage.admit(ada, 'dee', { role: 'admin' });
  const demand = () =>
    ada.client.setPolicy((policy) => ({
      ...policy,
      witnesses: { needed: 2, maxAgeSeconds: MAX_AGE_SECONDS },
    }));
  const signers = {
    ada: (await burgle(ada)).signer,
    bo: (await burgle(bo)).signer,
    dee: (await burgle(dee)).signer,
  };
  return { ada, bo, dee, demand, signers };
}

function shows(victim: Person, notes: Notes): () => void {
  return stage.hostile.attack({
    victim: victim.client.device,
    async call(call, forward) {
      const answer = await forward(call);
      if (call.method !== 'GET' || !call.path.endsWith('/log/cosignatures')) return answer;
      const { notes: texts } = answer.body as { notes: string[] };
      const given = texts.map((text) => new Uint8Array(Buffer.from(text)));
      const [first] = given;
      const shown = first === undefined ? [] : notes(given, parseCheckpointText(parseNote(first).text));
      return { status: 200, body: { notes: shown.map((note) => decodeUtf8(note)) } };
    },
  });
}

/** A note of a checkpoint that the relay signs, with these lines. */
function noted(checkpoint: LogCheckpoint, lines: readonly NoteSignature[]): Uint8Array {
  const { signer } = stage.relayKey;
  return assembleNote(checkpointText(checkpoint), [logSignature(primitives, signer, checkpoint), ...lines]);
}

const line = (signer: Signer, over: LogCheckpoint, timeSeconds = nowSeconds()): NoteSignature =>
  cosignature(primitives, signer, over, timeSeconds);

const isRefused = (person: Person) =>
  expect(person.client.inviteDevice()).rejects.toMatchObject({ code: 'unwitnessed' });

describe('cosignatures that count for nothing', () => {
  type Signers = Awaited<ReturnType<typeof witnessed>>['signers'];
  test.each<[string, (signers: Signers) => Notes]>([
    ['none at all', () => () => []],
    [
      'one admin’s alone',
      ({ ada }) =>
        (_, true_) => [noted(true_, [line(ada, true_)])],
    ],
    [
      'one admin’s twice, at two times',
      ({ ada }) =>
        (_, true_) => [noted(true_, [line(ada, true_), line(ada, true_, nowSeconds() - 9)])],
    ],
    [
      'one admin’s twice, in two notes',
      ({ ada }) =>
        (_, true_) => [noted(true_, [line(ada, true_)]), noted(true_, [line(ada, true_, nowSeconds() - 9)])],
    ],
    [
      'one admin’s again under another name',
      ({ ada }) =>
        (_, true_) => {
          const own = line(ada, true_);
          return [noted(true_, [own, { ...own, name: `keytide-device/v1/${'ab'.repeat(32)}` }])];
        },
    ],
    [
      'an admin’s and a member’s',
      ({ ada, bo }) =>
        (_, true_) => [noted(true_, [line(ada, true_), line(bo, true_)])],
    ],
    [
      'an admin’s and a stranger’s',
      ({ ada }) =>
        (_, true_) => [noted(true_, [line(ada, true_), line(primitives.signer(nodeRandom(32)), true_)])],
    ],
    [
      'one of today and one of before',
      ({ ada, dee }) =>
        (_, true_) => [
          noted(true_, [line(ada, true_), line(dee, true_, nowSeconds() - MAX_AGE_SECONDS - 60)]),
        ],
    ],
    [
      'one that is old by the newest time that an admin has signed',
      ({ ada, dee }) =>
        (_, true_) => [
          noted(true_, [line(ada, true_, nowSeconds() + 3500)]),
          noted(true_, [line(dee, true_, nowSeconds() - 600)]),
        ],
    ],
    [
      'one of today and one of tomorrow',
      ({ ada, dee }) =>
        (_, true_) => [noted(true_, [line(ada, true_), line(dee, true_, nowSeconds() + 2 * 3600)])],
    ],
    [
      'over another log, under its name',
      ({ ada, dee }) =>
        (_, true_) => {
          const other = { ...true_, origin: `keytide-log/v1/${'ab'.repeat(32)}` };
          const { name, keyId } = logSignature(primitives, stage.relayKey.signer, true_);
          const relays = { ...logSignature(primitives, stage.relayKey.signer, other), name, keyId };
          return [assembleNote(checkpointText(other), [relays, line(ada, other), line(dee, other)])];
        },
    ],
    [
      'over what the relay did not sign',
      ({ ada, dee }) =>
        (_, true_) => [assembleNote(checkpointText(true_), [line(ada, true_), line(dee, true_)])],
    ],
  ])('%s: the device starts nothing, and talks on', async (_, notes) => {
    const { ada, bo, demand, signers } = await witnessed();
    const relent = shows(bo, notes(signers));
    await demand();
    await until(() => bo.client.policy.witnesses !== undefined, 'bo to know of the demand');
    await isRefused(bo);
    expect(bo.client.witnesses).toMatchObject({ needed: 2, isMet: false });
    await goesOn(ada, bo);
    expect(bo.failures).toEqual([]);
    relent();
    await bo.client.inviteDevice();
    expect(bo.client.witnesses.isMet).toBe(true);
  });

  test('those of an admin whose device was revoked', async () => {
    const { ada, bo, dee, demand, signers } = await witnessed();
    const fay = await stage.admit(ada, 'fay', { role: 'admin' });
    const relent = shows(bo, (_, true_) => [
      noted(true_, [line(signers.ada, true_), line(signers.dee, true_)]),
    ]);
    await demand();
    await ada.client.revokeDevice(dee.client.device);
    await until(() => bo.client.directorySize === ada.client.directorySize, 'bo to know of the revocation');
    await isRefused(bo);
    expect(bo.client.witnesses.cosigned.map(({ device }) => device)).toEqual([ada.client.device]);
    relent();
    await bo.client.inviteDevice();
    expect(fay.client.witnesses.isMet).toBe(true);
  });
});

test('an admin who signs an hour ahead again and again does not carry the time away from the others', async () => {
  const { bo, demand, signers } = await witnessed();
  const relent = shows(bo, (_, true_) =>
    [3500, 7000, 10_500].map((ahead) =>
      noted(true_, [line(signers.ada, true_), line(signers.dee, true_, nowSeconds() + ahead)]),
    ),
  );
  await demand();
  await until(() => bo.client.policy.witnesses !== undefined, 'bo to know of the demand');
  await bo.client.inviteDevice().catch(() => {});
  relent();
  await bo.client.inviteDevice();
  expect(bo.client.witnesses).toMatchObject({ needed: 2, isMet: true });
});

test('a clock that was set back makes no old word fresh', async () => {
  const { bo, demand, signers } = await witnessed();
  const back = 2 * MAX_AGE_SECONDS;
  shows(bo, (_, true_) => {
    const then = nowSeconds() - back;
    return [noted(true_, [line(signers.ada, true_, then), line(signers.dee, true_, then)])];
  });
  await demand();
  await until(() => bo.client.policy.witnesses !== undefined, 'bo to know of the demand');
  await bo.client.close();
  const ports = { ...noonPorts, clock: { ...noonPorts.clock, now: () => now() - back * 1000 } };
  const again = await connect({ definition, ports, store: bo.store });
  await again.online();
  await expect(again.inviteDevice()).rejects.toMatchObject({ code: 'unwitnessed' });
  expect(again.witnesses.cosigned).toEqual([]);
  await again.close();
});

describe('what a device has once counted', () => {
  test('stays, when older notes or none are shown later, also after a restart', async () => {
    const { bo, demand, signers } = await witnessed();
    await demand();
    await until(() => bo.client.policy.witnesses !== undefined, 'bo to know of the demand');
    await bo.client.inviteDevice();
    const before = bo.client.witnesses;
    shows(bo, (_, true_) => [
      noted(true_, [
        line(signers.ada, true_, nowSeconds() - 3000),
        line(signers.dee, true_, nowSeconds() - 3000),
      ]),
    ]);
    const again = await stage.reopen(bo);
    expect(again.client.witnesses).toEqual(before);
    await again.client.online();
    await again.client.inviteDevice();
  });
});

describe('cosignatures that prove something', () => {
  test('over a longer log than is shown: nothing goes to such a relay', async () => {
    const { bo, demand, signers } = await witnessed();
    shows(bo, (_, true_) => {
      const longer = { ...true_, size: true_.size + 7 };
      return [noted(longer, [line(signers.ada, longer)])];
    });
    await demand();
    await until(() => bo.failures.length > 0, 'bo to go offline');
    expect(failureCodes(bo)).toEqual(['relay-misbehaved']);
    await expect(bo.client.inviteDevice()).rejects.toMatchObject({ code: 'relay-misbehaved' });
  });

  test('over another root: proved, and nothing is said any more', async () => {
    const { bo, demand, signers } = await witnessed();
    shows(bo, (_, true_) => {
      const other = { ...true_, root: nodeRandom(32) };
      return [noted(other, [line(signers.ada, other), line(signers.dee, other)])];
    });
    await demand();
    const error = await stops(bo);
    expect(error.code).toBe('relay-forked');
    const verdict = verifyForkProof(primitives, error.evidence[0] as Uint8Array);
    expect(verdict).toMatchObject({ claim: 'forked' });
    await expect(says(bo, 'to whom?')).rejects.toMatchObject({ code: 'relay-forked' });
  });

  test('that do not hold, in the name of an admin: the note is the evidence', async () => {
    const { bo, demand, signers } = await witnessed();
    shows(bo, (_, true_) => {
      const own = line(signers.ada, true_);
      const signature = own.signature.map((byte, i) => (i === 20 ? byte ^ 1 : byte));
      return [noted(true_, [{ ...own, signature }])];
    });
    await demand();
    await until(() => bo.failures.length > 0, 'bo to go offline');
    expect(failureCodes(bo)).toEqual(['relay-misbehaved']);
    expect(bo.failures[0]?.evidence).toHaveLength(1);
  });

  test('denied to an admin: both notes that the relay has signed are the evidence', async () => {
    const { ada, demand } = await witnessed();
    stage.hostile.attack({
      victim: ada.client.device,
      async call(call, forward) {
        if (call.method !== 'POST' || !call.path.endsWith('/log/cosignatures')) return await forward(call);
        return { status: 422, body: { code: 'entry-refused', message: '', reason: 'unknown-checkpoint' } };
      },
    });
    await demand();
    await until(() => ada.failures.length > 0, 'ada to go offline');
    expect(failureCodes(ada)).toEqual(['relay-misbehaved']);
    const relayKey = logNoteKey(originOf(ada.client.org), stage.relayKey.signer.publicKey);
    const { evidence } = ada.failures[0]!;
    expect(
      evidence.map((note) => verifyNote(primitives, parseNote(note), [relayKey]).verified.length),
    ).toEqual([1, 1]);
    expect(ada.client.witnesses.isMet).toBe(false);
  });

  test('not taken from an admin: their own word does not count where nobody else can see it', async () => {
    const { ada, demand } = await witnessed();
    stage.hostile.attack({
      victim: ada.client.device,
      async call(call, forward) {
        if (call.method !== 'POST' || !call.path.endsWith('/log/cosignatures')) return await forward(call);
        return { status: 403, body: { code: 'not-a-member', message: '' } };
      },
    });
    await demand();
    await isRefused(ada);
    expect(ada.client.state.kind).toBe('online');
    stage.hostile.relent();
    await ada.client.invite();
  });
});
