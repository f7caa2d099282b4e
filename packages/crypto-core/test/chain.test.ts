import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  acceptMessage,
  openMessage,
  sealMessage,
  type Acceptance,
  type OpenedMessage,
  type SenderHead,
} from '@keytide/crypto-core';
import { codeOf } from './code-of.ts';
import { openedWorld, type TestDevice } from './world.ts';

const world = await openedWorld('chain');
const [alice, bob] = world.devices as [TestDevice, TestDevice];

/** A true run of one sender's messages, as another device opens them. */
function run(length: number, start: SenderHead = null): OpenedMessage[] {
  let head = start;
  return Array.from({ length }, () => {
    const { envelope, link } = sealMessage(world.keysOf(alice), {
      signer: alice.signer,
      sender: alice.id,
      channel: world.random(16),
      counter: head === null ? 0 : head.counter + 1,
      previousLink: head?.link ?? new Uint8Array(32),
      heads: { directory: world.checkpoint, group: world.checkpoint },
      payload: world.random(4),
      random: world.random,
    });
    head = { counter: head === null ? 0 : head.counter + 1, link };
    return openMessage(world.keysOf(bob), envelope);
  });
}
const messages = run(12);
const at = (index: number): OpenedMessage => messages[index] as OpenedMessage;
const headAt = (index: number): SenderHead => ({ counter: index, link: at(index).link });

describe('chain of one sender', () => {
  test('in order, all are accepted and none is missing', () => {
    let head: SenderHead = null;
    for (const message of messages) {
      const accepted = acceptMessage(head, message);
      expect(accepted.missing).toBeNull();
      head = accepted.head;
    }
    expect(head).toEqual(headAt(11));
  });

  test('replay, reorder and fork have verdicts of their own', () => {
    expect(codeOf(() => acceptMessage(headAt(5), at(5)))).toBe('replayed');
    expect(codeOf(() => acceptMessage(headAt(5), at(4)))).toBe('out-of-order');
    expect(codeOf(() => acceptMessage(headAt(5), at(0)))).toBe('out-of-order');
    const [branch] = run(1, headAt(4)) as [OpenedMessage];
    expect(codeOf(() => acceptMessage(headAt(5), branch))).toBe('chain-broken');
    const [after] = run(1, { counter: 5, link: branch.link }) as [OpenedMessage];
    expect(codeOf(() => acceptMessage(headAt(5), after))).toBe('chain-broken');
  });

  test('a gap is accepted and named', () => {
    expect(acceptMessage(headAt(2), at(7))).toEqual({ head: headAt(7), missing: { from: 3, to: 6 } });
    expect(acceptMessage(null, at(3)).missing).toEqual({ from: 0, to: 2 });
  });

  test('without a known start, any message is the start', () => {
    for (const index of [0, 7]) {
      expect(acceptMessage('unknown', at(index))).toEqual({ head: headAt(index), missing: null });
    }
  });

  test('only the first message has nothing before it', () => {
    const zeros = new Uint8Array(32);
    for (const head of [null, 'unknown'] as const) {
      expect(codeOf(() => acceptMessage(head, { ...at(0), previousLink: at(3).link }))).toBe('chain-broken');
      expect(codeOf(() => acceptMessage(head, { ...at(4), previousLink: zeros }))).toBe('chain-broken');
    }
  });

  test('whatever the delivery: what is accepted ascends, and accepted and missing make up the whole', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(11), { minLength: 1, maxLength: 30 }), (delivery) => {
        let head: SenderHead = null;
        const known = new Set<number>();
        for (const index of delivery) {
          const last: number = head?.counter ?? -1;
          let accepted: Acceptance | null = null;
          const code = codeOf(() => (accepted = acceptMessage(head, at(index))));
          expect(code).toBe(index > last ? null : index === last ? 'replayed' : 'out-of-order');
          if (accepted === null) continue;
          known.add(index);
          const { missing, head: next }: Acceptance = accepted;
          for (let i = missing?.from ?? 0; i <= (missing?.to ?? -1); i += 1) known.add(i);
          head = next;
        }
        expect(known.size).toBe(Math.max(...delivery) + 1);
      }),
    );
  });
});
