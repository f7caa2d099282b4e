import { encodeCbor, parseEnvelopeHeader, type DeviceId } from '@keytide/crypto-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { burgle, forgeMessage, lastMessageOf, stolenEpoch } from './loot.ts';
import { remove } from './removal.ts';
import { heard, hears, openStage, says, stops, until, type Person, type Stage } from './stage.ts';

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

type Change = Parameters<typeof forgeMessage>[3];

/** What a member writes with a client of their own making: the next append carries this instead. */
async function writes(
  eve: Person,
  change: (like: ReturnType<typeof lastMessageOf>) => Change,
): Promise<void> {
  const loot = await burgle(eve);
  const keys = await stolenEpoch(loot, loot.statements.length);
  const like = lastMessageOf(loot, keys, loot.device);
  const forged = forgeMessage(keys, loot, like, change(like));
  stage.hostile.attack({
    victim: loot.device,
    toRelay: (frame) => [
      frame.type === 'append'
        ? { ...frame, items: frame.items.map((item) => ({ ...item, envelope: forged.bytes })) }
        : frame,
    ],
  });
  await says(eve, 'instead of this');
}

async function threePeople(): Promise<{ ada: Person; bo: Person; eve: Person }> {
  const { ada, bo } = await stage.pair();
  const eve = await stage.admit(ada, 'eve');
  await says(eve, 'hi');
  await Promise.all([hears(ada, 'hi'), hears(bo, 'hi')]);
  return { ada, bo, eve };
}

test('a member who dates a message to the end of time silences nobody', async () => {
  const { ada, bo, eve } = await threePeople();
  const endOfTime = [2 ** 48 - 1, 2 ** 32 - 1] as const;
  await writes(eve, () => ({
    payload: encodeCbor([1, 0, 'chat', '', ...endOfTime, { text: 'last words' }]),
  }));
  await Promise.all([hears(ada, 'last words'), hears(bo, 'last words')]);
  await says(ada, 'we go on');
  await hears(bo, 'we go on');
  const id = await bo.client.collections.requests.create({ title: 'Water', status: 'open' });
  await until(() => ada.client.collections.requests.get(id) !== null, 'the request to arrive');
  stage.hostile.relent();
});

test('a member who lies about the membership log stops the others until an admin removes them', async () => {
  const { ada, bo, eve } = await threePeople();
  await writes(eve, (like) => ({
    heads: { ...like.heads, directory: { size: 1, root: new Uint8Array(32) } },
  }));
  const errors = await Promise.all([stops(ada), stops(bo)]);
  expect(errors.map(({ code }) => code)).toEqual(['relay-forked', 'relay-forked']);
  stage.hostile.relent();
  const [liar] = ada.client.members().filter(({ handle }) => handle === 'eve');
  await ada.client.removeMember(liar!.id);
  const [adaAgain, boAgain] = await Promise.all([stage.reopen(ada), stage.reopen(bo)]);
  await Promise.all([adaAgain.client.online(), boAgain.client.online()]);
  await says(adaAgain, 'without eve');
  await hears(boAgain, 'without eve');
});

test('what waited while its reader was removed is sealed anew, and arrives once', async () => {
  const { ada, bo, eve } = await threePeople();
  let isCut = true;
  const epochs: number[] = [];
  stage.hostile.attack({
    victim: bo.client.device as DeviceId,
    call: async (call, next) => (isCut ? { status: 503, body: {} } : next(call)),
    toRelay(frame) {
      if (frame.type === 'append')
        epochs.push(...frame.items.map(({ envelope }) => parseEnvelopeHeader(envelope).epoch));
      return [frame];
    },
  });
  for (const link of stage.hostile.linksOf(bo.client.device)) link.cut();
  await until(() => bo.client.state.kind !== 'online', 'the cut');
  await says(bo, 'for those who stay');
  const before = ada.client.epoch;
  await remove(stage, ada, eve);
  await until(() => ada.client.epoch > before, 'a new epoch, although nobody writes');
  isCut = false;
  await hears(ada, 'for those who stay');
  expect(epochs.every((epoch) => epoch > before)).toBe(true);
  expect(heard(ada).filter((text) => text === 'for those who stay')).toHaveLength(1);
  stage.hostile.relent();
});
