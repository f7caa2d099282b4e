import type { Ports } from './ports.ts';
import type { RelayApi } from './relay-api.ts';
import type { RelaySocket } from './relay-socket.ts';

/** Of the time that is left, what passes before the next attempt: a failed one leaves room for others. */
const PART = 0.75;
const LEAST_MS = 1_000;

/**
 * Brings the relay another access token on a socket before the one that it was opened with has expired, until the
 * socket is over. Never rejects: without one the relay ends the socket, and the next begins with a login.
 * @param relayTimeMs what time it was at the relay when it said welcome, just now
 */
export async function renewSession(
  { ports, api }: { readonly ports: Pick<Ports, 'clock'>; readonly api: RelayApi },
  socket: Pick<RelaySocket, 'closed' | 'send'>,
  relayTimeMs: number,
): Promise<void> {
  const { clock } = ports;
  const aheadMs = relayTimeMs - clock.now();
  const ended = new AbortController();
  void socket.closed.then(() => ended.abort());
  let expiresAtMs = await api.expiresAtMs().catch(() => null);
  while (expiresAtMs !== null) {
    const leftMs = expiresAtMs - clock.now() - aheadMs;
    await clock.wait(Math.max(LEAST_MS, leftMs * PART), ended.signal);
    if (ended.signal.aborted) return;
    const renewed = await api.renew().catch(() => null);
    if (renewed === null) continue;
    ({ expiresAtMs } = renewed);
    socket.send({ type: 'hello', token: renewed.token });
  }
}
