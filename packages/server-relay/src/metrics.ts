import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Clock } from './clock.ts';
import type { AppendVerdict } from './entry-store.ts';
import type { PushFailure, PushOutcome } from './push/sender.ts';
import type { PushKind } from '@keytide/relay-protocol';

/** What a relay counts of itself (docs/guides/operating-a-relay.md). No label holds an id, an address or content. */
export interface Metrics {
  /** So many sockets are open. */
  connections(count: number): void;
  /** So many items wait to be stored; call the answer with their verdicts, or with `null` when the store failed. */
  appending(count: number): (verdicts: readonly AppendVerdict[] | null) => void;
  /** So many entries of group logs were given to one socket. */
  delivered(count: number): void;
  /** A request or a connection was refused. `code` is one of ours, never a peer's text. */
  refused(code: string): void;
  /** A statement failed, or the database did not answer. */
  databaseFailed(): void;
  /** It was tried to tell a device that is not connected. */
  pushed(kind: PushKind, outcome: PushResult): void;
  /** Whether this node of several hears the bus; who is alone never says. */
  busAlive(isAlive: boolean): void;
  /** So many bytes of attachments are past Y, and kept because nobody has exported what may name them. */
  attachmentsHeld(sizeBytes: number): void;
  /** What has expired was deleted. */
  expired(): void;
  /** All of it in the text format of Prometheus. */
  text(): Promise<string>;
}

/** What came of a push, as the log and the metrics have it. */
type PushResult = Exclude<PushOutcome['kind'], 'later'> | PushFailure;

const PUSH_KINDS: readonly PushKind[] = ['web-push', 'expo', 'webhook'];
const PUSH_RESULTS: readonly PushResult[] = [
  'told',
  'gone',
  'push-blocked',
  'push-unreachable',
  'push-busy',
  'push-refused',
];
const APPEND_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Counts from zero, in a registry of its own. */
export function createMetrics(clock: Clock, version: string): Metrics {
  const registry = new Registry();
  const registers = [registry];
  let expiredMs = clock.now();
  // One number on the way of every delivery, and the rest of the work only when somebody asks.
  let entries = 0;
  new Gauge({
    name: 'keytide_relay_info',
    help: 'Always 1; says which version runs.',
    labelNames: ['version'],
    registers,
  }).set({ version }, 1);
  const connections = new Gauge({
    name: 'keytide_relay_connections',
    help: 'Sockets that are open.',
    registers,
  });
  const appends = new Counter({
    name: 'keytide_relay_appends_total',
    help: 'Items that were to be appended to group logs, by outcome.',
    labelNames: ['outcome'],
    registers,
  });
  const seconds = new Histogram({
    name: 'keytide_relay_append_seconds',
    help: 'From when an append was taken until its outcome was durable.',
    buckets: APPEND_SECONDS,
    registers,
  });
  const queue = new Gauge({
    name: 'keytide_relay_append_queue',
    help: 'Items that were taken and have no outcome yet.',
    registers,
  });
  const deliveries = new Counter({
    name: 'keytide_relay_deliveries_total',
    help: 'Entries of group logs given to sockets.',
    registers,
  });
  const refusals = new Counter({
    name: 'keytide_relay_refusals_total',
    help: 'Refused requests and connections, by code.',
    labelNames: ['code'],
    registers,
  });
  const bus = new Gauge({
    name: 'keytide_relay_bus_up',
    help: 'Whether wake-ups from other nodes arrive: 1, or 0 while this node asks the database instead.',
    registers,
  });
  bus.set(1);
  const failures = new Counter({
    name: 'keytide_relay_database_failures_total',
    help: 'Statements that failed, and answers that the database did not give.',
    registers,
  });
  const pushes = new Counter({
    name: 'keytide_relay_pushes_total',
    help: 'Attempts to tell a device that is not connected, by kind of service and outcome.',
    labelNames: ['kind', 'outcome'],
    registers,
  });
  const expiryAge = new Gauge({
    name: 'keytide_relay_expiry_age_seconds',
    help: 'Since what has expired was last deleted without a failure.',
    registers,
  });
  const held = new Gauge({
    name: 'keytide_relay_attachments_held_bytes',
    help: 'Bytes of attachments past the export period that are kept because nobody has exported what may name them.',
    registers,
  });
  for (const outcome of ['stored', 'repeated', 'refused', 'failed']) appends.inc({ outcome }, 0);
  for (const kind of PUSH_KINDS) for (const outcome of PUSH_RESULTS) pushes.inc({ kind, outcome }, 0);
  return {
    connections: (count) => connections.set(count),
    appending(count) {
      const startMs = performance.now();
      queue.inc(count);
      return (verdicts) => {
        queue.dec(count);
        seconds.observe((performance.now() - startMs) / 1000);
        if (verdicts === null) return appends.inc({ outcome: 'failed' }, count);
        for (const verdict of verdicts) appends.inc({ outcome: outcomeOf(verdict) });
      };
    },
    delivered(count) {
      entries += count;
    },
    refused: (code) => refusals.inc({ code }),
    databaseFailed: () => failures.inc(),
    pushed: (kind, outcome) => pushes.inc({ kind, outcome }),
    busAlive: (isAlive) => bus.set(isAlive ? 1 : 0),
    attachmentsHeld: (sizeBytes) => held.set(sizeBytes),
    expired() {
      expiredMs = clock.now();
    },
    text() {
      deliveries.reset();
      deliveries.inc(entries);
      expiryAge.set((clock.now() - expiredMs) / 1000);
      return registry.metrics();
    },
  };
}

function outcomeOf(verdict: AppendVerdict): 'stored' | 'repeated' | 'refused' {
  if ('refused' in verdict) return 'refused';
  return verdict.repeated ? 'repeated' : 'stored';
}
