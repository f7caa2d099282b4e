import { once } from 'node:events';
import { connect } from 'node:net';

/** A TCP connection to a service on this machine, read as one growing piece of bytes. */
export interface Line {
  write(bytes: Uint8Array | string): void;
}

/**
 * Connects. `read` is given all bytes that it has not taken yet, and answers how many it takes.
 * Small on purpose: what carries the load must never be what limits it.
 */
export async function openLine(
  port: number,
  read: (bytes: Buffer) => number,
  failed: (error: Error) => void,
): Promise<Line> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  let rest: Buffer | null = null;
  socket.on('data', (chunk) => {
    const bytes = rest === null ? chunk : Buffer.concat([rest, chunk]);
    try {
      const taken = read(bytes);
      rest = taken === bytes.length ? null : bytes.subarray(taken);
    } catch (error) {
      failed(error as Error);
    }
  });
  socket.on('error', failed);
  socket.on('close', () => failed(new Error('a service closed a connection')));
  return { write: (bytes) => void socket.write(bytes) };
}

/** A promise, and the function that fulfils it. */
export function signal(): { readonly given: Promise<void>; give(): void } {
  let give: () => void = () => undefined;
  const given = new Promise<void>((resolve) => {
    give = resolve;
  });
  return { given, give };
}
