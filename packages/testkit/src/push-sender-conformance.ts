import assert from 'node:assert/strict';
import type { Push, PushOutcome, PushSender } from '@keytide/server-relay';
import type { PushReply, PushRequestSeen, PushService } from './push-service.ts';
import { startPushService } from './push-service.ts';
import type { TestRunner } from './test-runner.ts';

/** A sender, and how its service speaks. */
export interface PushSenderUnderTest {
  /** Sends to the service, and gives it `timeoutMs` at most. */
  readonly sender: PushSender;
  readonly timeoutMs: number;
  /** Something that it accepts, and where the service listens. */
  readonly target: string;
  /** What it accepts none of. */
  readonly refused: readonly string[];
  /** The service takes it over. */
  readonly good: PushReply;
  /** The service says that nobody is there. */
  readonly gone: readonly PushReply[];
  /** Throws unless the request is authentic, and says nothing but 'look'. */
  check(request: PushRequestSeen): void;
}

/** What every `PushSender` owes. */
export function pushSenderConformance(
  name: string,
  make: (service: PushService) => PushSenderUnderTest,
  { describe, it }: TestRunner,
): void {
  describe(`PushSender: ${name}`, () => {
    const check = (title: string, run: (under: PushSenderUnderTest, service: PushService) => Promise<void>) =>
      it(title, async () => {
        const service = await startPushService();
        try {
          await run(make(service), service);
        } finally {
          await service.close();
        }
      });
    const push = (target: string, changes: Partial<Push> = {}): Push => {
      const signal = new AbortController().signal;
      return { target, id: 'ab'.repeat(16), ticket: null, signal, ...changes };
    };

    check(
      'says one authentic word without content',
      async ({ sender, target, good, check: judge }, service) => {
        service.reply = () => good;
        assert.ok(sender.accepts(target));
        assert.equal((await sender.send(push(target))).kind, 'told');
        assert.equal((await sender.send(push(target))).kind, 'told');
        assert.equal(service.seen.length, 2);
        for (const request of service.seen) judge(request);
      },
    );

    check('accepts nothing that it may not send to', async ({ sender, refused }) => {
      for (const target of refused) assert.equal(sender.accepts(target), false, target);
    });

    check('tells who is gone', async ({ sender, target, gone }, service) => {
      for (const reply of gone) {
        service.reply = () => reply;
        assert.deepEqual(await sender.send(push(target)), { kind: 'gone' });
      }
    });

    check('waits for a busy service, as long as that asks', async ({ sender, target }, service) => {
      const headers = { 'retry-after': '70' };
      service.reply = () => ({ status: 429, headers });
      const outcome: PushOutcome = { kind: 'later', code: 'push-busy', afterMs: 70_000 };
      assert.deepEqual(await sender.send(push(target)), outcome);
      for (const status of [429, 500, 502, 503]) {
        service.reply = () => ({ status, body: '<html>' });
        assert.deepEqual(await sender.send(push(target)), { ...outcome, afterMs: 0 });
      }
    });

    check('keeps a registration that the service refuses for a reason of its own', async (under, service) => {
      for (const status of [302, 400, 401, 403, 413]) {
        service.reply = () => ({ status, headers: { location: `${service.origin}/elsewhere` } });
        const outcome = await under.sender.send(push(under.target));
        assert.deepEqual(outcome, { kind: 'later', code: 'push-refused', afterMs: 0 });
      }
      assert.ok(service.seen.every(({ path }) => path !== '/elsewhere'));
    });

    check('bears garbage, silence, floods and broken connections', async (under, service) => {
      for (const [reply, code] of [
        ['garbage', 'push-unreachable'],
        ['silence', 'push-unreachable'],
        ['hang-up', 'push-unreachable'],
        ['flood', 'push-refused'],
      ] as const) {
        service.reply = () => reply;
        const startMs = performance.now();
        const outcome = await under.sender.send(push(under.target));
        assert.deepEqual(outcome, { kind: 'later', code, afterMs: 0 }, reply);
        assert.ok(performance.now() - startMs < under.timeoutMs + 3000);
      }
      service.reply = () => under.good;
      assert.equal((await under.sender.send(push(under.target))).kind, 'told');
    });

    check('stops when it is told to', async ({ sender, target }, service) => {
      service.reply = () => 'silence';
      const closing = new AbortController();
      const sending = sender.send(push(target, { signal: closing.signal }));
      await service.until(1);
      closing.abort();
      assert.equal((await sending).kind, 'later');
    });
  });
}
