import {
  boxChannel,
  idBytes,
  encodeCbor,
  memoryKeyStore,
  pairwiseEndpoint,
  toBase64Url,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom as random } from '@keytide/crypto-core/node';
import type { Device } from '@keytide/key-directory';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { now } from './noon-ports.ts';
import { burgle } from './loot.ts';
import { remove } from './removal.ts';
import { openStage, until, type Person, type Stage } from './stage.ts';

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
});

afterAll(() => stage.close());

/** From now on shows `victim` a mailbox with this message alone; what the true one held is kept back. */
function showsMail(victim: Person, sender: string, message: () => string | null): void {
  let seq = 0;
  stage.hostile.attack({
    victim: victim.client.device,
    async call(call, forward) {
      if (call.method !== 'GET' || !call.path.includes('/mail?')) return forward(call);
      const given = call.path.endsWith('after=0') ? message() : null;
      seq += 1;
      return {
        status: 200,
        body: { messages: given === null ? [] : [{ seq, sender, message: given }], more: false },
      };
    },
  });
}

/** Has the relay hint until this holds. */
async function hinted(person: Person, condition: () => boolean, what: string): Promise<void> {
  const timer = setInterval(() => {
    stage.hostile.linksOf(person.client.device).at(-1)?.toClient({ type: 'hint', topic: 'mail' });
  }, 200);
  await until(condition, what).finally(() => clearInterval(timer));
}

const codes = ({ client }: Person) => client.direct.unreadable.map(({ code }) => code);

test('a direct message of a removed device that the relay held back is not shown', async () => {
  const { ada, bo } = await stage.pair();
  let held: string | null = null;
  let isHeldBack = true;
  stage.hostile.attack({
    victim: bo.client.device,
    call(call, forward) {
      if (call.path.endsWith('/mail')) held = (call.body as { message: string }).message;
      return forward(call);
    },
  });
  showsMail(ada, bo.client.device, () => (isHeldBack ? null : held));
  await bo.client.direct.send(ada.client.member, { text: 'from inside' });
  await until(() => held !== null, "bo's message");
  await remove(stage, ada, bo);
  await until(() => ada.client.members().length === 1, 'ada to learn of the removal');
  isHeldBack = false;
  await hinted(ada, () => codes(ada).length > 0, 'ada to refuse');
  expect(new Set(codes(ada))).toEqual(new Set(['removed']));
  expect(ada.client.direct.read(bo.client.member)).toEqual([]);
  await stage.clear();
});

test('a direct message that a member addressed to a third is not shown to another', async () => {
  const { ada, bo } = await stage.pair();
  const { signer, directory } = await burgle(bo);
  const device = (id: string): Device => directory.devices.get(id as never) as Device;
  const end = pairwiseEndpoint({
    primitives,
    random,
    org: directory.org,
    store: memoryKeyStore(),
    signer,
    record: device(bo.client.device),
    sealingKey: () => null,
  });
  const to = device(ada.client.device);
  const channel = boxChannel(end, {
    record: to,
    encapsulator: primitives.encapsulator(to.sealing.publicKey),
  });
  const sealed = async (member: Uint8Array) =>
    toBase64Url(
      await channel.seal(encodeCbor([1, random(16), member, now(), { text: 'for whom?' }]), () => []),
    );
  let message = await sealed(idBytes(bo.client.member));
  showsMail(ada, bo.client.device, () => message);
  await hinted(ada, () => codes(ada).length > 0, 'ada to refuse');
  expect(new Set(codes(ada))).toEqual(new Set(['wrong-context']));
  expect(ada.client.direct.read(bo.client.member)).toEqual([]);
  // The same, addressed as it should be, is shown.
  message = await sealed(idBytes(ada.client.member));
  await hinted(ada, () => ada.client.direct.read(bo.client.member).length > 0, 'the true message');
  await stage.clear();
});
