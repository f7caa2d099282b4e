import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { usageError } from '../usage.ts';
import type { Health } from './health.ts';

/** What the pages answer from; none of it may throw. */
export interface HealthPages {
  health(): Health;
  metrics(): string;
}

/**
 * Serves `/healthz`, 200 or, when it is late, 503, and `/metrics`. No request changes anything.
 * @throws CliError `usage` where the port is taken
 */
export async function serveHealth(
  { host, port }: { readonly host: string; readonly port: number },
  pages: HealthPages,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const server = createServer({ requestTimeout: 5_000, maxHeaderSize: 8_192 }, (request, response) => {
    if (request.method === 'GET' && request.url === '/healthz') {
      const health = pages.health();
      end(response, health.status === 'late' ? 503 : 200, `${JSON.stringify(health)}\n`, 'application/json');
    } else if (request.method === 'GET' && request.url === '/metrics')
      end(response, 200, pages.metrics(), 'text/plain; version=0.0.4; charset=utf-8');
    else end(response, 404, 'no such page\n', 'text/plain; charset=utf-8');
  });
  server.maxConnections = 16;
  await new Promise<void>((resolve, reject) => {
    server.once('error', () =>
      reject(usageError(`healthPort ${port} cannot be had`, 'Give another one in the configuration.')),
    );
    server.listen(port, host, resolve);
  });
  const { address, family, port: actual } = server.address() as AddressInfo;
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${actual}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function end(response: ServerResponse, status: number, text: string, type: string): void {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(text);
}
