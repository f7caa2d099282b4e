import type { Address } from '../sql/address.ts';
import { loneClient, type LoneClient } from '../sql/lone-client.ts';
import type { Carrier, OpenCarrier } from './bus.ts';

const RETRY_MS = 500;
const ANSWER_MS = 10_000;

/**
 * Carries over NOTIFY of PostgreSQL, on a connection of its own, which no pooler may share. `channel` is of lower-case
 * letters, digits and underscores. Enough for a few nodes: all notifications of a database take one lock.
 */
export function postgresCarrier(url: Address, channel: string): OpenCarrier {
  return (heard, subscribed) => {
    let current: LoneClient | null = null;
    let closed = false;
    let timer: NodeJS.Timeout | undefined;
    void connect();

    async function connect(): Promise<void> {
      const fresh = loneClient(url, ANSWER_MS);
      const { client } = fresh;
      current = fresh;
      client.on('error', () => lose(fresh));
      client.on('end', () => lose(fresh));
      client.on('notification', ({ payload = '' }) => heard(Uint8Array.from(Buffer.from(payload, 'base64'))));
      try {
        await client.connect();
        await client.query(`listen ${channel}`);
        if (current === fresh) subscribed();
      } catch {
        lose(fresh);
      }
    }

    function lose(lost: LoneClient): void {
      if (current !== lost) return;
      current = null;
      void lost.end();
      if (!closed) timer = setTimeout(() => void connect(), RETRY_MS);
    }

    const carrier: Carrier = {
      async send(bytes) {
        const message = [channel, Buffer.from(bytes).toString('base64')];
        await current?.client.query('select pg_notify($1, $2)', message);
      },
      again() {
        if (current !== null) lose(current);
      },
      async close() {
        closed = true;
        clearTimeout(timer);
        const last = current;
        current = null;
        await last?.end();
      },
    };
    return carrier;
  };
}
