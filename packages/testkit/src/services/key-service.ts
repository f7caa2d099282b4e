import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

/** How a service misbehaves with its next calls. */
export type ServiceFault =
  | 'hang' // takes the request and never answers
  | 'cut' // ends the connection in the middle of its answer
  | 'throttle' // says that it was asked too often
  | 'broken' // says that something is wrong with itself
  | 'garbage' // answers 200 with what is no JSON
  | 'nonsense' // answers 200 with JSON of another shape
  | 'endless' // answers 200 and never stops
  | 'redirect'; // sends the caller elsewhere

/** A request that a service got. */
export interface ServiceCall {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** An answer: bytes as they are, anything else as JSON. */
export interface ServiceReply {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A service that listens on this machine. */
export interface KeyService {
  /** Such as `http://127.0.0.1:43211`. */
  readonly url: string;
  /** Everything that came, in order. */
  readonly calls: readonly ServiceCall[];
  /** The next calls fail like this, one each, before anything else is looked at. */
  fail(...faults: readonly ServiceFault[]): void;
  close(): Promise<void>;
}

/** Starts an HTTP server that gives what `answer` answers, unless a fault is due. `throttled` is its way to say that. */
export async function startKeyService(
  answer: (call: ServiceCall) => ServiceReply,
  throttled: ServiceReply,
): Promise<KeyService> {
  const calls: ServiceCall[] = [];
  const due: ServiceFault[] = [];
  const server = createServer((request, response) => {
    void readCall(request).then((call) => {
      calls.push(call);
      const send = (reply: ServiceReply): void => {
        const isBytes = reply.body instanceof Uint8Array;
        const type = isBytes ? 'application/octet-stream' : 'application/json';
        response.writeHead(reply.status, { 'content-type': type, ...reply.headers });
        response.end(isBytes ? reply.body : JSON.stringify(reply.body));
      };
      const fault = due.shift();
      if (fault === undefined) return send(answer(call));
      if (fault === 'throttle') return send(throttled);
      if (fault === 'broken') return send({ status: 500, body: { errors: ['internal error'] } });
      if (fault === 'nonsense') return send({ status: 200, body: { data: [1], KeyId: 7, auth: null } });
      if (fault === 'garbage') return void response.writeHead(200).end('<html>Bad Gateway</html>');
      if (fault === 'redirect') return void response.writeHead(307, { location: `${url}/elsewhere` }).end();
      if (fault === 'cut') {
        response.writeHead(200, { 'content-length': '1000' });
        response.write('{"data":', () => response.destroy());
      }
      if (fault === 'endless') {
        response.writeHead(200);
        const more = (): void => {
          while (!response.destroyed && response.write(' '.repeat(65_536)));
        };
        response.on('drain', more);
        more();
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    calls,
    fail: (...faults) => void due.push(...faults),
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function readCall(request: IncomingMessage): Promise<ServiceCall> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers)) headers[name] = String(value);
  return {
    method: request.method ?? '',
    path: request.url ?? '',
    headers,
    body: Buffer.concat(chunks),
  };
}
