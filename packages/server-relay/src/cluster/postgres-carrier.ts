import pg from 'pg';
import { addressNow, type Address } from '../sql/address.ts';
import type { Carrier, OpenCarrier } from './bus.ts';

const RETRY_MS = 500;

/**
 * Carries over NOTIFY of PostgreSQL, on a connection of its own, which no pooler may share. `channel` is of lower-case
 * letters, digits and underscores. Enough for a few nodes: all notifications of a database take one lock.
 */
export function postgresCarrier(url: Address, channel: string): OpenCarrier {
  return (heard, subscribed) => {
    let client: pg.Client | null = null;
    let closed = false;
    let timer: NodeJS.Timeout | undefined;
    void connect();

    async function connect(): Promise<void> {
      const fresh = new pg.Client({ connectionString: addressNow(url), keepAlive: true });
      client = fresh;
      fresh.on('error', () => lose(fresh));
      fresh.on('end', () => lose(fresh));
      fresh.on('notification', ({ payload = '' }) => heard(Uint8Array.from(Buffer.from(payload, 'base64'))));
      try {
        await fresh.connect();
        await fresh.query(`listen ${channel}`);
        if (client === fresh) subscribed();
      } catch {
        lose(fresh);
      }
    }

    function lose(lost: pg.Client): void {
      if (client !== lost) return;
      client = null;
      lost.end().catch(() => undefined);
      if (!closed) timer = setTimeout(() => void connect(), RETRY_MS);
    }

    const carrier: Carrier = {
      async send(bytes) {
        await client?.query('select pg_notify($1, $2)', [channel, Buffer.from(bytes).toString('base64')]);
      },
      again() {
        if (client !== null) lose(client);
      },
      async close() {
        closed = true;
        clearTimeout(timer);
        const last = client;
        client = null;
        await last?.end().catch(() => undefined);
      },
    };
    return carrier;
  };
}
