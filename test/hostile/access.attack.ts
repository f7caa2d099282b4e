import type { AccessEvent } from '@keytide/client';
import {
  createAccessAnswer,
  createAccessRequest,
  fromBase64Url,
  openAccessAnswer,
  parseAccessAnswer,
  parseAccessRequest,
  Secret,
  toBase64Url,
  type AccessRequest,
  type GrantedKey,
  type OpenedAccessAnswer,
  type Signer,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom } from '@keytide/crypto-core/node';
import { seededDevice, type HostileAnswer, type HostileCall } from '@keytide/testkit/hostile-relay';
import { expect, test } from 'vitest';
import { now } from './noon-ports.ts';
import { signerIn } from './seeds.ts';
import { goesOn, heard, until, type Person, type Stage } from './stage.ts';

/** Ada, bo and bo's new phone, which cannot read their hello. */
interface Scene {
  readonly ada: Person;
  readonly bo: Person;
  readonly phone: Person;
  /** What these two were told of access. */
  readonly told: { readonly ada: AccessEvent[]; readonly phone: AccessEvent[] };
}

const HELLO = 'hello from ada';

async function openScene(
  stage: Stage,
  before: (ada: Person) => Promise<void> = async () => {},
): Promise<Scene> {
  const { ada, bo } = await stage.pair();
  await before(ada);
  const phone = await stage.another(bo);
  const told = { ada: [] as AccessEvent[], phone: [] as AccessEvent[] };
  ada.client.on('access', (event) => told.ada.push(event));
  phone.client.on('access', (event) => told.phone.push(event));
  await until(() => phone.client.unreadable.length > 0, 'the phone to miss something');
  return { ada, bo, phone, told };
}

const rejectedIn = (events: readonly AccessEvent[]): string[] =>
  events.flatMap((event) => (event.kind === 'rejected' ? [event.code] : []));
const grantsIn = (events: readonly AccessEvent[]): AccessEvent[] =>
  events.filter(({ kind }) => kind === 'granted');

async function rejects(events: readonly AccessEvent[], code: string): Promise<void> {
  await until(() => rejectedIn(events).includes(code), `the rejection ${code}`);
}

/** The person at ada's says yes to whatever waits first. */
async function approves(ada: Person): Promise<void> {
  await until(() => ada.client.access.inbox.length > 0, 'a request in the inbox');
  await ada.client.access.approve(ada.client.access.inbox[0]?.id as string);
}

const isAsking = ({ method, path }: HostileCall): boolean =>
  method === 'POST' && path.endsWith('/access/requests');
const isListing = ({ method, path }: HostileCall): boolean =>
  method === 'GET' && path.includes('/access/requests') && !path.endsWith('/answers');
const isAnswering = ({ method, path }: HostileCall): boolean =>
  method === 'POST' && path.endsWith('/answers');
const isFetching = ({ method, path }: HostileCall): boolean => method === 'GET' && path.endsWith('/answers');

const requestIn = ({ body }: HostileCall): Uint8Array =>
  fromBase64Url((body as { request: string }).request) as Uint8Array;

/** Shows admins these requests as well. */
function showsRequests(stage: Stage, wires: () => readonly Uint8Array[]): () => void {
  return stage.hostile.attack({
    async call(call, forward) {
      const answer = await forward(call);
      if (!isListing(call) || answer.status !== 200) return answer;
      const { requests, next } = answer.body as { requests: string[]; next: string | null };
      return { status: 200, body: { requests: [...requests, ...wires().map(toBase64Url)], next } };
    },
  });
}

/** Gives one device other answers. */
function givesAnswers(
  stage: Stage,
  victim: Person,
  instead: (
    given: readonly string[],
  ) => readonly (string | Uint8Array)[] | Promise<readonly (string | Uint8Array)[]>,
): () => void {
  return stage.hostile.attack({
    victim: victim.client.device,
    async call(call, forward) {
      const answer = await forward(call);
      if (!isFetching(call) || answer.status !== 200) return answer;
      const { answers } = answer.body as { answers: string[] };
      const changed = await instead(answers);
      const texts = changed.map((item) => (typeof item === 'string' ? item : toBase64Url(item)));
      return { status: 200, body: { answers: texts } };
    },
  });
}

/** What this device has asked for, as soon as it has. */
function watchRequests(stage: Stage, asker: Person): { readonly wires: Uint8Array[] } {
  const wires: Uint8Array[] = [];
  stage.hostile.attack({
    victim: asker.client.device,
    call(call, forward) {
      if (isAsking(call)) wires.push(requestIn(call));
      return forward(call);
    },
  });
  return { wires };
}

function answerTo(signer: Signer, request: AccessRequest, content: OpenedAccessAnswer): Uint8Array {
  return createAccessAnswer({ primitives, signer, request, content, createdMs: now() });
}

const anyKey = (epoch: number): GrantedKey => ({ epoch, key: Secret.own(nodeRandom(32)) });

/** An admin whose app is not ours: what it hands in is changed, and signed by the admin again. */
async function adminGives(
  stage: Stage,
  ada: Person,
  keys: (request: AccessRequest) => GrantedKey[],
): Promise<void> {
  const signer = await signerIn(ada.store);
  const asked = new Map<string, AccessRequest>();
  stage.hostile.attack({
    async call(call, forward): Promise<HostileAnswer> {
      if (isAsking(call)) {
        const request = parseAccessRequest(primitives, requestIn(call));
        asked.set(Buffer.from(request.hash).toString('hex'), request);
      }
      if (!isAnswering(call)) return await forward(call);
      const request = asked.get(call.path.split('/').at(-2) as string) as AccessRequest;
      const wire = answerTo(signer, request, { verdict: 'granted', keys: keys(request) });
      return await forward({ ...call, body: { answer: toBase64Url(wire) } });
    },
  });
}

async function staysUnread({ phone, told }: Scene): Promise<void> {
  expect(grantsIn(told.phone)).toEqual([]);
  expect(heard(phone)).not.toContain(HELLO);
}

async function reads({ phone }: Scene): Promise<void> {
  await until(() => heard(phone).includes(HELLO), 'the phone to read what was granted');
}

/** Requests for keys: what a relay makes of them gives nobody a key. */
export function forgedRequests(stage: () => Stage): void {
  test('a request that the relay makes up in a device’s name', async () => {
    const { ada, phone, told, bo } = await openScene(stage());
    const stranger = seededDevice(primitives, nodeRandom, now());
    const { wires } = watchRequests(stage(), phone);
    const oneUse = primitives.decapsulator(nodeRandom(32));
    showsRequests(stage(), () =>
      wires.map((wire) => {
        const request = parseAccessRequest(primitives, wire);
        const mine = { ...request, oneUseKey: oneUse.publicKey, nonce: nodeRandom(32) };
        return createAccessRequest(primitives, stranger.signer, mine);
      }),
    );
    await phone.client.access.request();
    await rejects(told.ada, 'bad-signature');
    expect(ada.client.access.inbox.map(({ device }) => device)).toEqual([phone.client.device]);
    await goesOn(ada, bo);
  });

  test('a request of a device that nobody let in', async () => {
    const { ada, phone, told, bo } = await openScene(stage());
    const ghost = seededDevice(primitives, nodeRandom, now());
    const { wires } = watchRequests(stage(), phone);
    showsRequests(stage(), () =>
      wires.map((wire) => {
        const request = parseAccessRequest(primitives, wire);
        return createAccessRequest(primitives, ghost.signer, { ...request, device: ghost.id });
      }),
    );
    await phone.client.access.request();
    await rejects(told.ada, 'not-a-member');
    expect(ada.client.access.inbox.map(({ device }) => device)).toEqual([phone.client.device]);
    await goesOn(ada, bo);
  });

  test('an old request, shown again after its device had its keys', async () => {
    const scene = await openScene(stage());
    const { ada, phone, told } = scene;
    const { wires } = watchRequests(stage(), phone);
    await phone.client.access.request();
    await until(() => ada.client.access.inbox.length === 1, 'a request');
    await ada.client.access.refuse(ada.client.access.inbox[0]?.id as string, 'not now');
    await until(() => phone.client.access.outstanding === null, 'the refusal');
    await phone.client.access.request();
    await until(() => wires.length === 2, 'the second request');
    await approves(ada);
    await reads(scene);
    let shown = 0;
    showsRequests(stage(), () => {
      shown += 1;
      return wires;
    });
    const size = ada.client.directorySize;
    await ada.client.acknowledge(ada.client.members()[1] as never);
    await rejects(told.ada, 'replayed');
    expect(shown).toBeGreaterThan(0);
    expect([ada.client.access.inbox, ada.client.directorySize]).toEqual([[], size]);
  });

  test('a request that is kept from the admins', async () => {
    const scene = await openScene(stage());
    const { ada, phone, bo } = scene;
    const end = stage().hostile.attack({
      async call(call, forward) {
        if (!isListing(call)) return await forward(call);
        return { status: 200, body: { requests: [], next: null } };
      },
    });
    await phone.client.access.request();
    await goesOn(ada, bo);
    await staysUnread(scene);
    expect(phone.client.access.outstanding).not.toBeNull();
    end();
    await ada.client.acknowledge(ada.client.members()[1] as never);
    await approves(ada);
    await reads(scene);
  });
}

/** Answers: a device takes none but the one that the log names, whole or not at all. */
export function forgedAnswers(stage: () => Stage): void {
  test('an answer that the relay makes up', async () => {
    const scene = await openScene(stage());
    const { phone, told } = scene;
    const ghost = seededDevice(primitives, nodeRandom, now());
    const { wires } = watchRequests(stage(), phone);
    givesAnswers(stage(), phone, () =>
      wires.map((wire) => {
        const request = parseAccessRequest(primitives, wire);
        return answerTo(ghost.signer, request, { verdict: 'granted', keys: [anyKey(request.firstEpoch)] });
      }),
    );
    await phone.client.access.request();
    await until(() => wires.length > 0, 'the request');
    phone.client.access.wake();
    await rejects(told.phone, 'former-admin');
    await staysUnread(scene);
    expect(phone.client.access.outstanding).not.toBeNull();
  });

  test('an answer in the name of an admin, without their key', async () => {
    const scene = await openScene(stage());
    const { ada, phone, told } = scene;
    givesAnswers(stage(), phone, (given) =>
      given.map((text) => {
        const wire = fromBase64Url(text) as Uint8Array;
        return wire.map((byte, i) => (i === wire.length - 1 ? byte ^ 1 : byte));
      }),
    );
    await phone.client.access.request();
    await approves(ada);
    await rejects(told.phone, 'bad-signature');
    await staysUnread(scene);
  });

  test('an answer that is withheld, and given later', async () => {
    const scene = await openScene(stage());
    const { ada, phone, told } = scene;
    const end = givesAnswers(stage(), phone, () => []);
    await phone.client.access.request();
    await approves(ada);
    await until(() => phone.client.directorySize === ada.client.directorySize, 'the log with the grant');
    phone.client.access.wake();
    await rejects(told.phone, 'answer-withheld');
    await staysUnread(scene);
    end();
    phone.client.access.wake();
    await reads(scene);
  });

  test('the answer to an earlier request, once more', async () => {
    const scene = await openScene(stage());
    const { ada, phone, told } = scene;
    const kept: string[] = [];
    const end = givesAnswers(stage(), phone, (given) => {
      kept.push(...given);
      return given;
    });
    await phone.client.access.request();
    await until(() => ada.client.access.inbox.length === 1, 'a request');
    await ada.client.access.refuse(ada.client.access.inbox[0]?.id as string, 'not now');
    await until(() => phone.client.access.outstanding === null, 'the refusal');
    end();
    expect(kept.length).toBeGreaterThan(0);
    givesAnswers(stage(), phone, () => kept);
    await phone.client.access.request();
    await until(() => {
      phone.client.access.wake();
      return rejectedIn(told.phone).includes('unknown-request');
    }, 'the rejection');
    // The old no is no answer to this.
    expect(told.phone.filter(({ kind }) => kind === 'refused').length).toBe(1);
    expect(phone.client.access.outstanding).not.toBeNull();
  });

  test('the answers to two devices, each given to the other', async () => {
    const scene = await openScene(stage());
    const { ada, bo, phone, told } = scene;
    const tablet = await stage().another(bo);
    const given = new Map<Person, readonly string[]>();
    for (const [mine, theirs] of [
      [phone, tablet],
      [tablet, phone],
    ] as const)
      givesAnswers(stage(), mine, (answers) => {
        if (answers.length > 0) given.set(mine, answers);
        return given.get(theirs) ?? [];
      });
    for (const device of [phone, tablet]) await device.client.access.request();
    await until(() => ada.client.access.inbox.length === 2, 'two requests');
    await approves(ada);
    await approves(ada);
    await until(() => {
      for (const device of [phone, tablet]) device.client.access.wake();
      return rejectedIn(told.phone).includes('unknown-request');
    }, 'the rejection');
    await staysUnread(scene);
    expect(heard(tablet)).not.toContain(HELLO);
  });

  test('the answer of another admin than the log names', async () => {
    const scene = await openScene(stage());
    const { ada, phone, told } = scene;
    const cy = await stage().admit(ada, 'cy', { role: 'admin' });
    const signer = await signerIn(cy.store);
    const { wires } = watchRequests(stage(), phone);
    givesAnswers(stage(), phone, (given) =>
      given.map(() => {
        const request = parseAccessRequest(primitives, wires[0] as Uint8Array);
        return answerTo(signer, request, { verdict: 'granted', keys: [anyKey(request.firstEpoch)] });
      }),
    );
    await phone.client.access.request();
    await approves(ada);
    await rejects(told.phone, 'other-admin');
    await staysUnread(scene);
  });

  test('the answer of whoever is no admin any more', async () => {
    let cy = null as Person | null;
    const scene = await openScene(stage(), async (admin) => {
      cy = await stage().admit(admin, 'cy', { role: 'admin' });
      await goesOn(admin, cy);
    });
    const { ada, phone, told } = scene;
    const end = givesAnswers(stage(), phone, () => []);
    await phone.client.access.request();
    await approves(cy as Person);
    await ada.client.setRole((cy as Person).client.member, 'member');
    end();
    await until(() => phone.client.directorySize === ada.client.directorySize, 'the log with the demotion');
    phone.client.access.wake();
    await rejects(told.phone, 'former-admin');
    await staysUnread(scene);
  });

  test('a key that is not the one of its epoch, among good ones, from an admin', async () => {
    const scene = await openScene(stage());
    const { ada, phone, told } = scene;
    await adminGives(stage(), ada, ({ firstEpoch }) => [anyKey(firstEpoch)]);
    await phone.client.access.request();
    await approves(ada);
    await rejects(told.phone, 'commitment-mismatch');
    await staysUnread(scene);
  });

  test('keys that were not asked for, from an admin', async () => {
    const scene = await openScene(stage());
    const { ada, phone, told } = scene;
    await adminGives(stage(), ada, ({ lastEpoch }) => [anyKey(lastEpoch), anyKey(lastEpoch + 1)]);
    await phone.client.access.request();
    await approves(ada);
    await rejects(told.phone, 'beyond-entitlement');
    await staysUnread(scene);
  });

  test('what the relay holds of it all opens no answer', async () => {
    const scene = await openScene(stage());
    const { ada, phone } = scene;
    const seen: Uint8Array[] = [];
    givesAnswers(stage(), phone, (given) => {
      seen.push(...given.map((text) => fromBase64Url(text) as Uint8Array));
      return given;
    });
    await phone.client.access.request();
    await approves(ada);
    await reads(scene);
    const answer = parseAccessAnswer(seen[0] as Uint8Array);
    const other = primitives.decapsulator(nodeRandom(32));
    expect(() => openAccessAnswer(primitives, other, answer)).toThrow(
      expect.objectContaining({ code: 'decryption-failed' }),
    );
    // Nothing on the phone opens it any more either: what was made for it is gone.
    expect(await phone.store.keys.names('access/request')).toEqual([]);
  });
}
