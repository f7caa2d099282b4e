import { Agent, request, type IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';

/** What a request is made of; nothing of it is put right on its way. */
export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly token?: string | undefined;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** JSON text, or bytes. */
  readonly body?: string | Uint8Array;
}

/** What came back. */
export interface Told {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The code of a refusal; `null` for everything else. */
  readonly code: string | null;
}

const agent = new Agent({ keepAlive: true, maxSockets: 16 });

/** Sends a request exactly as it is. Rejects when the connection ends without an answer. */
export function ask(relayUrl: string, { method, path, token, headers, body }: Asked): Promise<Told> {
  const { hostname, port } = new URL(relayUrl);
  const type = typeof body === 'string' ? 'application/json' : 'application/octet-stream';
  return new Promise((resolve, reject) => {
    const call = request(
      {
        hostname,
        port,
        method,
        path,
        agent,
        headers: {
          ...(body === undefined ? {} : { 'content-type': type }),
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...headers,
        },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          const { statusCode: status = 0, headers: told } = response;
          resolve({ status, headers: told, text, code: status >= 400 ? codeIn(text) : null });
        });
      },
    );
    call.on('error', reject);
    call.end(body);
  });
}

function codeIn(text: string): string | null {
  try {
    return (JSON.parse(text) as { code?: string }).code ?? null;
  } catch {
    return null;
  }
}

/** All that an answer says but when: what must be the same where nothing may be learned. */
export function wordsOf({ status, headers, text }: Told): unknown {
  const { date: _, ...rest } = headers;
  return { status, headers: rest, text };
}

/** The first line that comes back for these bytes; empty when the connection ends without one. */
export function firstLine(relayUrl: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(relayUrl);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString();
      if (text.includes('\r\n')) socket.destroy();
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => resolve(text.split('\r\n', 1)[0] ?? ''));
  });
}
