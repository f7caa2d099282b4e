import { seededRandom } from '@keytide/testkit';
import { nodePorts } from '@keytide/client/node';
import { expect, test } from 'vitest';
import { Connection, type SyncState } from '../src/connection.ts';
import { ClientError } from '../src/errors.ts';
import type { RelaySocket } from '../src/relay-socket.ts';

const refusal = (relayCode: string): ClientError =>
  new ClientError('relay-refused', relayCode, { relayCode });

/** A connection whose attempts end as they are told, and whose waits end when they are told to. */
function connectionTo(outcomes: (ClientError | 'welcome')[]) {
  const waits: { readonly ms: number; end(): void }[] = [];
  const states: string[] = [];
  let attempts = 0;
  const clock = {
    now: () => 0,
    wait: (ms: number, signal?: AbortSignal) =>
      new Promise<void>((end) => {
        waits.push({ ms, end });
        signal?.addEventListener('abort', () => end());
      }),
  };
  const connection = new Connection({
    ports: { ...nodePorts, clock, random: seededRandom('connection') },
    async open() {
      attempts += 1;
      const outcome = outcomes.shift() ?? 'welcome';
      if (outcome !== 'welcome') throw outcome;
      const socket = { closed: new Promise(() => {}), close: () => undefined } as unknown as RelaySocket;
      return { socket, directorySize: 1 };
    },
    onOpened: () => connection.become({ kind: 'online' }),
    onFailure: () => undefined,
    onState: (state: SyncState) =>
      void states.push(
        state.kind === 'stopped' ? `stopped ${state.error.relayCode ?? state.error.code}` : state.kind,
      ),
    onChanged: () => undefined,
  });
  const nextWait = async (): Promise<number> => {
    await expect.poll(() => waits.length).toBe(1);
    const wait = waits.shift() as (typeof waits)[number];
    wait.end();
    return wait.ms;
  };
  return { connection, states, nextWait, attempts: () => attempts };
}

test('who is let in nowhere looks again, less and less often, and goes on when it is let in', async () => {
  const refused = Array.from({ length: 14 }, () => refusal('login-refused'));
  const { connection, states, nextWait } = connectionTo([...refused]);
  connection.start();
  const waited: number[] = [];
  for (let looks = 0; looks < refused.length; looks += 1) {
    const ms = await nextWait();
    const most = Math.min(60_000 * 2 ** looks, 86_400_000);
    expect(ms).toBeGreaterThanOrEqual(most / 2);
    expect(ms).toBeLessThanOrEqual(most);
    waited.push(ms);
  }
  expect(Math.max(...waited)).toBeGreaterThan(43_000_000);
  await expect.poll(() => connection.state.kind).toBe('online');
  // Nothing is said of looks that were in vain.
  expect(states).toEqual(['connecting', 'stopped login-refused', 'connecting', 'online']);
});

test('whoever opens the app is looked for at once; a proof that is found then is shown, and ends it', async () => {
  const forked = new ClientError('relay-forked', 'two logs');
  const { connection, states, attempts } = connectionTo([
    refusal('login-refused'),
    new ClientError('offline', 'away'),
    forked,
  ]);
  connection.start();
  for (let times = 1; times <= 3; times += 1) {
    await expect.poll(attempts).toBe(times);
    await new Promise((resolve) => setTimeout(resolve, 5));
    connection.resume();
  }
  await expect.poll(() => states.at(-1)).toBe('stopped relay-forked');
  expect(states).toEqual(['connecting', 'stopped login-refused', 'stopped relay-forked']);
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(attempts()).toBe(3);
  await connection.stop();
});

test('any other refusal is for good, and one that is closed looks no more', async () => {
  const other = connectionTo([refusal('wrong-author')]);
  other.connection.start();
  await expect.poll(() => other.states.at(-1)).toBe('stopped wrong-author');
  other.connection.resume();
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(other.attempts()).toBe(1);
  const closed = connectionTo([refusal('login-refused')]);
  closed.connection.start();
  await expect.poll(() => closed.states.at(-1)).toBe('stopped login-refused');
  await closed.connection.stop();
  expect(closed.attempts()).toBe(1);
});

test('a relay that is of another version for a second stops nobody for longer than it is', async () => {
  const other = refusal('unsupported-version');
  const { connection, states, nextWait, attempts } = connectionTo([
    other,
    other,
    refusal('login-refused'),
    other,
  ]);
  connection.start();
  for (const mostMs of [60_000, 120_000, 240_000]) {
    const ms = await nextWait();
    expect([ms >= mostMs / 2, ms <= mostMs]).toEqual([true, true]);
  }
  await expect.poll(attempts).toBe(4);
  await expect.poll(() => states.at(-1)).toBe('stopped unsupported-version');
  connection.resume();
  await expect.poll(() => connection.state.kind).toBe('online');
  expect(states).toEqual([
    'connecting',
    'stopped unsupported-version',
    'stopped login-refused',
    'stopped unsupported-version',
    'connecting',
    'online',
  ]);
});
