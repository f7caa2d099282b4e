import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { RelayError } from '../errors.ts';
import { MANAGEMENT_PAGES } from './management-pages.ts';

/** What the management port answers from; none of it may throw. */
export interface Probes {
  /** Whether the relay has started. */
  isStarted(): boolean;
  /** Whether it should be sent clients now. */
  isReady(): Promise<boolean>;
  /** In the text format of Prometheus. */
  metrics(): Promise<string>;
}

/** A management port that listens. */
export interface Management {
  /** Where, such as `http://127.0.0.1:9464`. */
  readonly url: string;
  close(): Promise<void>;
}

/** A database that takes longer is no database to send clients to. */
const READY_MS = 2_000;

/**
 * Serves `/live`, `/startup`, `/ready` (200 or 503) and `/metrics` on an address of their own. There is no session
 * here: who reaches the port sees the metrics.
 * @throws RelayError `address-in-use`
 */
export async function startManagement(host: string, port: number, probes: Probes): Promise<Management> {
  const answers: Readonly<Record<keyof typeof MANAGEMENT_PAGES, () => Promise<string | null>>> = {
    '/live': async () => 'live\n',
    '/startup': async () => (probes.isStarted() ? 'started\n' : null),
    '/ready': async () => ((await inTime(probes.isReady())) ? 'ready\n' : null),
    '/metrics': () => probes.metrics(),
  };
  const server = createServer({ requestTimeout: 5_000, maxHeaderSize: 8_192 }, (request, response) => {
    const page = request.url ?? '';
    if (request.method !== 'GET' || !isPage(page)) return end(response, 404, 'no such page\n');
    answers[page]().then(
      (text) => end(response, text === null ? 503 : 200, text ?? 'not now\n'),
      () => end(response, 503, 'not now\n'),
    );
  });
  server.maxConnections = 64;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const isTaken = cause.code === 'EADDRINUSE';
      reject(
        isTaken ? new RelayError('address-in-use', `managementPort ${port} is taken`, { cause }) : cause,
      );
    });
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

function isPage(path: string): path is keyof typeof MANAGEMENT_PAGES {
  return Object.keys(MANAGEMENT_PAGES).includes(path);
}

function end(response: ServerResponse, status: number, text: string): void {
  const headers = { 'content-type': 'text/plain; version=0.0.4; charset=utf-8', 'cache-control': 'no-store' };
  response.writeHead(status, headers).end(text);
}

async function inTime(answer: Promise<boolean>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), READY_MS);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
