import { trace, type Attributes, type Span, type SpanStatus, type Tracer } from '@opentelemetry/api';
import { seededWorld } from '@keytide/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { announceOf, appendOf } from './group.ts';
import { greet } from './line.ts';
import {
  asDevice,
  relayUnderTest,
  settle,
  tokenOf,
  tryLogin,
  type RelayUnderTest,
} from './relay-under-test.ts';

interface SeenSpan {
  readonly name: string;
  readonly attributes: Attributes;
  status: SpanStatus | null;
  isOver: boolean;
}

const world = seededWorld({ seed: 'traces', members: 1 });
const { org, clock } = world;
const group = world.state.everyone;
const [device] = world.members[0].devices;
const spans: SeenSpan[] = [];
let relay: RelayUnderTest;

/** The least that an SDK does: it keeps spans. */
const tracer = {
  startActiveSpan(name: string, { attributes }: { attributes: Attributes }, work: (span: Span) => unknown) {
    const seen: SeenSpan = { name, attributes, status: null, isOver: false };
    spans.push(seen);
    return work({
      setStatus: (status: SpanStatus) => void (seen.status = status),
      end: () => void (seen.isOver = true),
    } as unknown as Span);
  },
} as unknown as Tracer;

beforeAll(async () => {
  relay = await relayUnderTest({ clock });
  await settle(relay, world);
  trace.setGlobalTracerProvider({ getTracer: () => tracer });
});
afterAll(async () => {
  trace.disable();
  await relay.close();
});

test('logins, appends and reads are spans, which name nobody', async () => {
  const line = await greet(relay, await tokenOf(relay, org, device));
  line.send(await announceOf(world, device, 0));
  await line.next('appended');
  line.send(appendOf(world, 1, 3));
  await line.next('appended');
  line.send({ type: 'subscribe', group, afterSeq: 0 });
  await line.next('caught-up');
  line.socket.terminate();
  await tryLogin(relay, org, asDevice(device), { relayName: 'https://another.example' });
  expect(spans).toEqual([
    { name: 'relay.login', attributes: { 'keytide.subject': 'device' }, status: null, isOver: true },
    { name: 'relay.append', attributes: { 'keytide.items': 1 }, status: null, isOver: true },
    { name: 'relay.append', attributes: { 'keytide.items': 3 }, status: null, isOver: true },
    { name: 'relay.read', attributes: {}, status: null, isOver: true },
    {
      name: 'relay.login',
      attributes: { 'keytide.subject': 'device' },
      status: { code: 2, message: 'login-refused' },
      isOver: true,
    },
  ]);
});
