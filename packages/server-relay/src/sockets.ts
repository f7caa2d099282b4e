import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import type { OrgId } from '@keytide/crypto-core';
import { LIMITS, type HintTopic } from '@keytide/relay-protocol';
import { WebSocketServer } from 'ws';
import { createConnection, RESUME, type Connection, type ConnectionOptions } from './connection.ts';
import type { Session } from './logins.ts';
import type { Recipients } from './recipients.ts';
import type { Metrics } from './metrics.ts';
import type { Origins } from './origins.ts';

/** The WebSockets of a relay. */
export interface Sockets {
  /** Tells every device of the organisation that its log has grown; cuts off those it removed. */
  grown(org: OrgId): void;
  /** Tells these devices of the organisation, as far as they are connected, to look there again. */
  hint(org: OrgId, devices: Recipients, topic: HintTopic): void;
  /** Takes no new sockets. */
  stopAccepting(): void;
  /** How many sockets are open. */
  count(): number;
  /**
   * Takes no new sockets and lets go of the open ones, a few at a time over `spreadMs`, so that they do not all knock
   * on one door together. Each is answered what it asked before. Resolves when they are gone.
   */
  drain(spreadMs: number): Promise<void>;
  /** Closes all sockets as 'going away'; resolves when they are gone. */
  close(): Promise<void>;
}

/** What the sockets of a relay share, and which web pages may open them. */
interface SocketsOptions extends Omit<ConnectionOptions, 'greeted' | 'ended'> {
  readonly origins: Origins;
  readonly shared: ConnectionOptions['shared'] & { readonly metrics: Metrics };
}

/** Between two handfuls of sockets that are let go. */
const STEP_MS = 50;

/** Serves WebSockets on `/v1/socket` of an HTTP server. */
export function serveSockets(http: Server, options: SocketsOptions): Sockets {
  const { limits, log } = options;
  const { metrics } = options.shared;
  const open = new Set<Connection>();
  const byOrg = new Map<OrgId, Set<Connection>>();
  /** In the order in which they came. */
  const byDevice = new Map<string, Connection[]>();
  let accepting = true;
  let whenEmpty: () => void = () => undefined;
  let gone: Promise<void> | null = null;
  const protocol = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    // Ciphertext does not compress, and compression beside secrets leaks them.
    perMessageDeflate: false,
    maxPayload: LIMITS.announceFrameBytes,
  });
  // One for all: an idle socket costs what it has of its own.
  const ofConnections: ConnectionOptions = {
    ...options,
    greeted(connection, { org, subject: { id } }) {
      byOrg.set(org, (byOrg.get(org) ?? new Set()).add(connection));
      const mine = [...(byDevice.get(`${org} ${id}`) ?? []), connection];
      byDevice.set(`${org} ${id}`, mine);
      // Those before that one are closing already, and are gone once the other side has answered.
      mine.at(-1 - limits.socketsOfDevice)?.close(1001, RESUME);
    },
    ended(connection, session, reason) {
      open.delete(connection);
      if (session !== null) forget(connection, session);
      metrics.connections(open.size);
      log({ event: 'socket-closed', reason, sockets: open.size });
      if (open.size === 0) whenEmpty();
    },
  };
  function forget(connection: Connection, { org, subject: { id } }: Session): void {
    const mates = byOrg.get(org);
    mates?.delete(connection);
    if (mates?.size === 0) byOrg.delete(org);
    const mine = (byDevice.get(`${org} ${id}`) ?? []).filter((other) => other !== connection);
    if (mine.length === 0) byDevice.delete(`${org} ${id}`);
    else byDevice.set(`${org} ${id}`, mine);
  }

  const ticker = setInterval(() => {
    for (const connection of open) connection.tick();
  }, limits.pingMs);

  function upgrade(request: IncomingMessage, tcp: Socket, head: Buffer): void {
    tcp.on('error', destroy);
    const path = request.url?.split('?', 1)[0];
    if (path !== '/v1/socket') return refuse(tcp, '404 Not Found');
    if (!options.origins.allows(request.headers.origin)) return refuse(tcp, '403 Forbidden');
    if (!accepting || open.size >= limits.sockets) return refuse(tcp, '503 Service Unavailable');
    protocol.handleUpgrade(request, tcp, head, (socket) => {
      // By now `ws` hears of it.
      tcp.off('error', destroy);
      open.add(createConnection(socket, tcp, ofConnections));
      metrics.connections(open.size);
      log({ event: 'socket-opened', sockets: open.size });
    });
  }
  http.on('upgrade', upgrade);

  /** Only once no new ones are taken. */
  async function allGone(): Promise<void> {
    gone ??= new Promise((resolve) => {
      whenEmpty = resolve;
    });
    if (open.size > 0) await gone;
  }

  return {
    grown(org) {
      for (const connection of byOrg.get(org) ?? []) connection.grown();
    },
    hint(org, devices, topic) {
      for (const connection of byOrg.get(org) ?? []) connection.hint(topic, devices);
    },
    stopAccepting() {
      accepting = false;
    },
    count: () => open.size,
    async drain(spreadMs) {
      accepting = false;
      const leaving = [...open];
      const steps = Math.max(1, Math.floor(spreadMs / STEP_MS));
      const perStep = Math.ceil(leaving.length / steps);
      for (let next = 0; next < leaving.length; next += perStep) {
        if (next > 0) await new Promise((resolve) => setTimeout(resolve, STEP_MS));
        for (const connection of leaving.slice(next, next + perStep)) void connection.leave();
      }
      await allGone();
    },
    async close() {
      accepting = false;
      clearInterval(ticker);
      for (const connection of open) connection.close(1001, RESUME);
      await allGone();
    },
  };
}

function destroy(this: Socket): void {
  this.destroy();
}

function refuse(tcp: Socket, status: string): void {
  tcp.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
