import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';

/** A request as it is sent: `host` and the body's length come by themselves. */
export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

const PIECE_BYTES = 128 * 1024;

/**
 * One attempt: status and headers of the answer, whose body the caller reads to its end or destroys. Redirects are
 * answers: a signature goes nowhere else. A connection on which nothing moves for `idleMs` is ended, so that a slow
 * one may take its time.
 */
export async function send(
  { method, url, headers, body }: HttpRequest,
  idleMs: number,
): Promise<IncomingMessage> {
  // Only now: whoever has a folder should not wait until all of HTTP is loaded.
  const { request: open } = (await import(
    url.protocol === 'https:' ? 'node:https' : 'node:http'
  )) as typeof import('node:http');
  const length = method === 'PUT' || method === 'POST' ? { 'content-length': String(body.length) } : {};
  return await new Promise((resolve, reject) => {
    const request = open(url, { method, headers: { ...headers, ...length }, timeout: idleMs });
    request.on('timeout', () => request.destroy(new Error('nothing moves')));
    request.on('error', reject);
    request.on('response', resolve);
    // In pieces, so that it is seen that something moves.
    Readable.from(piecesOf(body), { objectMode: false }).pipe(request);
  });
}

function* piecesOf(body: Uint8Array): Generator<Uint8Array> {
  for (let offset = 0; offset < body.length; offset += PIECE_BYTES)
    yield body.subarray(offset, offset + PIECE_BYTES);
}
