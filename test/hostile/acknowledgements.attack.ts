import type { ClientError } from '@keytide/client';
import type { ClientFrame } from '@keytide/relay-protocol';
import { describe, expect, test } from 'vitest';
import { hurriedPorts } from './noon-ports.ts';
import { remove } from './removal.ts';
import {
  failureCodes,
  goesOn,
  heard,
  hears,
  says,
  unreadable,
  until,
  type Person,
  type Stage,
} from './stage.ts';

type Append = Extract<ClientFrame, { type: 'append' }>;

/** A message is only sent when it is back in the log; the relay's word for it counts for nothing. */
export function falseAcknowledgements(stage: () => Stage): void {
  /** The relay takes the next `count` appends of this person, says so, and drops them. */
  function drop(
    { client }: Person,
    count: number,
    seqs: (frame: Append) => number[] = ({ items }) => items.map(() => 900),
  ) {
    let dropped = 0;
    stage().hostile.attack({
      victim: client.device,
      toRelay(frame, link) {
        if (frame.type !== 'append' || dropped >= count) return [frame];
        dropped += 1;
        link.toClient({ type: 'appended', requestId: frame.requestId, seqs: seqs(frame) });
        return [];
      },
    });
    return () => dropped;
  }

  describe('a relay that acknowledges a message and drops it', () => {
    test('gets it again after the next connection', async () => {
      const { ada, bo } = await stage().pair();
      const dropped = drop(ada, 1);
      await says(ada, 'dropped once');
      await until(() => dropped() === 1, 'the message to be dropped');
      expect(ada.client.waiting).toBe(1);
      for (const link of stage().hostile.linksOf(ada.client.device)) link.cut();
      await hears(bo, 'dropped once');
      await ada.client.settled();
      await goesOn(ada, bo);
      expect([bo.missing, ada.missing, unreadable(bo)]).toEqual([[], [], []]);
    });

    test('is found out by itself, and gets it again', async () => {
      const { ada, bo } = await stage().pair(hurriedPorts());
      drop(ada, 1);
      await says(ada, 'dropped once');
      await hears(bo, 'dropped once');
      await ada.client.settled();
      expect(failureCodes(ada)).toEqual(['relay-misbehaved']);
      await goesOn(ada, bo);
    });

    test('and lets later ones pass: it is said again, late rather than never, and once', async () => {
      const { ada, bo } = await stage().pair();
      const dropped = drop(ada, 2);
      await says(ada, 'dropped first');
      await until(() => dropped() === 1, 'the first to be dropped');
      await says(ada, 'dropped second');
      await until(() => dropped() === 2, 'the second to be dropped');
      await says(ada, 'passed');
      await hears(bo, 'dropped second');
      await ada.client.settled();
      await goesOn(ada, bo);
      const order = ['passed', 'dropped first', 'dropped second'];
      for (const person of [ada, bo]) {
        expect(heard(person).filter((text) => order.includes(text))).toEqual(order);
        expect(person.missing).toEqual([{ device: ada.client.device, from: 1, to: 2 }]);
        expect(unreadable(person)).toEqual([]);
      }
    });

    test('from the middle of a batch', async () => {
      const { ada, bo } = await stage().pair();
      let cuts = 0;
      stage().hostile.attack({
        victim: ada.client.device,
        toRelay(frame) {
          if (frame.type !== 'append' || frame.items.length < 3) return [frame];
          cuts += 1;
          return [{ ...frame, items: frame.items.filter((_, i) => i !== 1) }];
        },
      });
      const titles = ['one', 'two', 'three', 'four'];
      await ada.client.collections.requests.createMany(titles.map((title) => ({ title, status: 'open' })));
      await ada.client.settled();
      await goesOn(ada, bo);
      expect(cuts).toBe(1);
      for (const { client } of [ada, bo]) {
        const shown = client.collections.requests.list().map(({ body }) => body.title);
        expect(shown.toSorted()).toEqual(titles.toSorted());
      }
    });

    test('after it was closed with a lost message in its outbox, a client says it again', async () => {
      const { ada, bo } = await stage().pair();
      const dropped = drop(ada, 1);
      await says(ada, 'dropped before the end');
      await until(() => dropped() === 1, 'the message to be dropped');
      const again = await stage().reopen(ada);
      await again.client.settled();
      await hears(bo, 'dropped before the end');
      expect(again.client.waiting).toBe(0);
      await goesOn(again, bo);
    });
  });

  describe('a relay that alters a message on its way in', () => {
    test('gets the true one again, under another id', async () => {
      const { ada, bo } = await stage().pair();
      let altered = false;
      stage().hostile.attack({
        victim: ada.client.device,
        toRelay(frame) {
          if (frame.type !== 'append' || altered) return [frame];
          altered = true;
          return [
            {
              ...frame,
              items: frame.items.map(({ messageId, envelope }) => ({
                messageId,
                envelope: envelope.map((byte, i) => (i === envelope.length - 1 ? byte ^ 1 : byte)),
              })),
            },
          ];
        },
      });
      await says(ada, 'altered on its way in');
      await until(() => unreadable(bo).length === 1, 'the altered message');
      for (const link of stage().hostile.linksOf(ada.client.device)) link.cut();
      await hears(bo, 'altered on its way in');
      await ada.client.settled();
      await goesOn(ada, bo);
      expect([unreadable(ada), unreadable(bo), bo.missing]).toEqual([['tampered'], ['tampered'], []]);
      expect(failureCodes(ada)).toContain('message-id-reused');
    });
  });

  describe('acknowledgements with wrong numbers', () => {
    test.each<[string, number[]]>([
      ['far ahead', [1_000_000]],
      ['zero', [0]],
      ['none', []],
      ['too many', [1, 2, 3, 4, 5]],
    ])('of a message: %s', async (_, seqs) => {
      const { ada, bo } = await stage().pair();
      stage().hostile.attack({
        victim: ada.client.device,
        toClient: (frame) => [frame.type === 'appended' ? { ...frame, seqs } : frame],
      });
      await goesOn(ada, bo);
      await ada.client.settled();
      expect(ada.client.waiting).toBe(0);
    });

    test.each([[[9_000_000]], [[]]])('of an epoch: %j', async (seqs) => {
      const ada = await stage().found();
      const bo = await stage().admit(ada, 'bo');
      const relent = stage().hostile.attack({
        toClient: (frame) => [frame.type === 'appended' ? { ...frame, seqs } : frame],
      });
      await goesOn(ada, bo);
      relent();
    });
  });

  describe('a relay that keeps an epoch from starting', () => {
    test('by taking the statement and dropping it: nothing is written under an older key', async () => {
      const ada = await stage().found(hurriedPorts());
      const bo = await stage().admit(ada, 'bo', { ports: hurriedPorts() });
      const relent = stage().hostile.attack({
        toRelay(frame, link) {
          if (frame.type !== 'announce') return [frame];
          link.toClient({ type: 'appended', requestId: frame.requestId, seqs: [1] });
          return [];
        },
      });
      await expect(says(ada, 'under which key?')).rejects.toMatchObject({ code: 'relay-misbehaved' });
      relent();
      await ada.client.online();
      await goesOn(ada, bo);
    });

    test('by never answering', async () => {
      const ada = await stage().found(hurriedPorts());
      const bo = await stage().admit(ada, 'bo', { ports: hurriedPorts() });
      const relent = stage().hostile.attack({
        toRelay: (frame) => (frame.type === 'announce' ? [] : [frame]),
      });
      const failed = says(ada, 'once you answer').catch((error: unknown) => error);
      await until(() => failureCodes(ada).includes('relay-misbehaved'), 'ada to give up');
      relent();
      // Either it was told, or it went out with the epoch of the next connection.
      expect([undefined, 'relay-misbehaved']).toContain(((await failed) as ClientError | undefined)?.code);
      await ada.client.online();
      await goesOn(ada, bo);
    });

    test('by refusing it, while a lost message waits for it: it is asked a few times, not without end', async () => {
      const { ada, bo } = await stage().pair();
      const eve = await stage().admit(ada, 'eve');
      await goesOn(ada, bo);
      const dropped = drop(ada, 1);
      await says(ada, 'lost');
      await until(() => dropped() === 1, 'the message to be dropped');
      let show: () => void = () => {};
      const shown = new Promise<void>((resolve) => {
        show = resolve;
      });
      let refused = 0;
      const relent = stage().hostile.attack({
        toClient: (frame, link) =>
          frame.type === 'entries' && link.who === ada.client.device ? shown.then(() => [frame]) : [frame],
        toRelay(frame, link) {
          if (frame.type !== 'announce') return [frame];
          refused += 1;
          link.toClient({ type: 'refused', requestId: frame.requestId, code: 'not-today' });
          return [];
        },
      });
      await says(ada, 'passed');
      await hears(bo, 'passed');
      await ada.client.removeMember(eve.client.member);
      // Only now does ada see that the log went on without a message of hers, which must not be said to eve.
      show();
      await until(() => refused > 0, 'an epoch to be refused');
      await new Promise((resolve) => setTimeout(resolve, 1000));
      expect(refused).toBeLessThan(10);
      relent();
      await goesOn(ada, bo);
      await hears(bo, 'lost');
    });

    test('once somebody was removed: what is written then waits for a key they do not have', async () => {
      const { ada, bo } = await stage().pair();
      const eve = await stage().admit(ada, 'eve');
      await goesOn(ada, bo);
      await remove(stage(), ada, eve);
      await until(() => bo.client.members().length === 2, 'bo to learn of the removal');
      const relent = stage().hostile.attack({
        victim: bo.client.device,
        call: async () => ({ status: 503, body: { code: 'unavailable', message: 'not now' } }),
      });
      for (const link of stage().hostile.linksOf(bo.client.device)) link.cut();
      await until(() => bo.client.state.kind === 'offline', 'bo to be offline');
      await expect(says(bo, 'eve must not read this')).rejects.toMatchObject({ code: 'not-ready' });
      expect([bo.client.waiting, bo.client.epoch]).toEqual([0, 2]);
      relent();
      await bo.client.online();
      await says(bo, 'eve must not read this');
      await hears(ada, 'eve must not read this');
      expect([ada.client.epoch, bo.client.epoch]).toEqual([3, 3]);
    });
  });
}
