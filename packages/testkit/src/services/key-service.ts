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
  | 'redirect' // sends the caller elsewhere
  | 'late' // answers 200, and then says in XML that something is wrong with itself
  | 'lost' // does what it is asked, and ends the connection without an answer
  | 'half'; // does what it is asked, and ends the connection in the middle of its true answer

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
  /** After so many more calls, all fail like this; `null`: no more faults, also none that are due. */
  failAfter(calls: number, fault: ServiceFault | null): void;
  close(): Promise<void>;
}

/** Starts an HTTP server that gives what `answer` answers, unless a fault is due. `throttled` is its way to say that. */
export async function startKeyService(
  answer: (call: ServiceCall) => ServiceReply,
  throttled: ServiceReply,
): Promise<KeyService> {
  const calls: ServiceCall[] = [];
  const due: ServiceFault[] = [];
  let later: { calls: number; readonly fault: ServiceFault } | null = null;
  const nextFault = (): ServiceFault | undefined => {
    if (later !== null && later.calls === 0) return later.fault;
    if (later !== null) later.calls -= 1;
    return due.shift();
  };
  const server = createServer((request, response) => {
    const gone = (): void => void response.destroy();
    void readCall(request).then((call) => {
      calls.push(call);
      const send = (reply: ServiceReply): void => {
        const isBytes = reply.body instanceof Uint8Array;
        const type = isBytes ? 'application/octet-stream' : 'application/json';
        const length = isBytes ? { 'content-length': (reply.body as Uint8Array).length } : {};
        response.writeHead(reply.status, { 'content-type': type, ...length, ...reply.headers });
        response.end(isBytes ? reply.body : JSON.stringify(reply.body));
      };
      const fault = nextFault();
      if (fault === undefined) return send(answer(call));
      if (fault === 'throttle') return send(throttled);
      if (fault === 'broken') return send({ status: 500, body: { errors: ['internal error'] } });
      if (fault === 'nonsense') return send({ status: 200, body: { data: [1], KeyId: 7, auth: null } });
      if (fault === 'garbage') return void response.writeHead(200).end('<html>Bad Gateway</html>');
      if (fault === 'redirect') return void response.writeHead(307, { location: `${url}/elsewhere` }).end();
      if (fault === 'late')
        return send({ status: 200, body: Buffer.from('<Error><Code>InternalError</Code></Error>') });
      if (fault === 'lost') {
        answer(call);
        return void response.destroy();
      }
      if (fault === 'half') {
        const { status, body, headers } = answer(call);
        const bytes = body as Uint8Array;
        response.writeHead(status, { ...headers, 'content-length': bytes.length });
        response.write(bytes.subarray(0, bytes.length / 2), () => response.destroy());
      }
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
    }, gone);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    calls,
    fail: (...faults) => void due.push(...faults),
    failAfter(count, fault) {
      later = fault === null ? null : { calls: count, fault };
      if (fault === null) due.length = 0;
    },
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
