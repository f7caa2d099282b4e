import { parseEpochStatement, Secret, verifyCommitment, type EpochStatement } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import type { Ports } from '@keytide/client';
import type { ClientFrame } from '@keytide/relay-protocol';
import { seededRandom } from '@keytide/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { noonPorts } from './noon-ports.ts';
import { hears, openStage, says, unreadable, until, type Person, type Stage } from './stage.ts';

/** An announcement that the relay holds back, and what became of it. */
interface Rival {
  readonly who: string | null;
  readonly requestId: number;
  readonly statement: EpochStatement;
  readonly release: () => void;
  answer: string | null;
}

/** Every 32 bytes that the devices drew, as they were then and where they are. */
const drawn: { readonly key: Uint8Array; readonly place: Uint8Array }[] = [];
const ports: Ports = {
  ...noonPorts,
  random(sizeBytes) {
    const place = noonPorts.random(sizeBytes);
    if (sizeBytes === 32) drawn.push({ key: place.slice(), place });
    return place;
  },
};

let stage: Stage;
const people: Person[] = [];

beforeAll(async () => {
  stage = await openStage();
  people.push(await stage.found(ports));
});

afterEach(() => stage.hostile.relent());

afterAll(() => stage.close());

describe('several devices start the next epoch at once', () => {
  test.each([1, 2, 3, 4, 5])('and the relay picks the order: round %i', async (round) => {
    const [ada] = people as [Person];
    people.push(await stage.admit(ada, `rival ${round}`, { ports }));
    await until(
      () => people.every(({ client }) => client.members().length === people.length),
      'all to be known',
    );
    const before = ada.client.epoch ?? 0;
    const unreadableBefore = people.map((person) => unreadable(person).length);
    const rivals = holdAnnouncements();
    const saying = people.map((person, index) => says(person, `${round}: ${index}`));
    await until(() => rivals.length === people.length, 'everybody to announce an epoch');

    const order = shuffled(rivals, `rival epochs ${round}`);
    for (const rival of order) {
      rival.release();
      await until(() => rival.answer !== null, 'an answer to an announcement');
    }
    await Promise.all(saying);
    for (const person of people) for (const index of people.keys()) await hears(person, `${round}: ${index}`);

    expect(order.map(({ answer }) => answer)).toEqual([
      'appended',
      ...order.slice(1).map(() => 'epoch-taken'),
    ]);
    expect(new Set(rivals.map(({ statement }) => statement.epoch))).toEqual(new Set([before + 1]));
    expect(people.map(({ client }) => client.epoch)).toEqual(people.map(() => before + 1));
    // Whatever was sealed under a key that lost, nobody else could read.
    expect(people.map((person) => unreadable(person).length)).toEqual(unreadableBefore);
    for (const { statement } of rivals) expect(placeOfKey(statement)).toEqual(new Uint8Array(32));
  });
});

/** From now on holds announcements back until they are released. */
function holdAnnouncements(): Rival[] {
  const rivals: Rival[] = [];
  stage.hostile.attack({
    toRelay(frame, { who }) {
      if (frame.type !== 'announce') return [frame];
      return new Promise<ClientFrame[]>((resolve) => {
        const statement = parseEpochStatement(primitives, frame.statement);
        const release = (): void => resolve([frame]);
        rivals.push({ who, requestId: frame.requestId, statement, release, answer: null });
      });
    },
    toClient(frame, { who }) {
      const id = 'requestId' in frame ? frame.requestId : null;
      const rival = rivals.find((one) => one.who === who && one.requestId === id);
      if (rival !== undefined) rival.answer = frame.type === 'refused' ? frame.code : frame.type;
      return [frame];
    },
  });
  return rivals;
}

/** Where the key of a statement was drawn: it must have been wiped there. */
function placeOfKey(statement: EpochStatement): Uint8Array | undefined {
  return drawn.find((one) => {
    try {
      verifyCommitment(primitives, statement, Secret.own(one.key.slice()));
      return true;
    } catch {
      return false;
    }
  })?.place;
}

function shuffled<T>(items: readonly T[], seed: string): T[] {
  const random = seededRandom(seed);
  return items
    .map((item) => ({ item, place: (random(1)[0] as number) * 256 + (random(1)[0] as number) }))
    .toSorted((a, b) => a.place - b.place)
    .map(({ item }) => item);
}
