import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import type { OrgId } from '@keytide/crypto-core';
import { LIMITS, type HintTopic } from '@keytide/relay-protocol';
import { WebSocketServer } from 'ws';
import { createConnection, type Connection, type ConnectionOptions, type Recipients } from './connection.ts';
import type { Origins } from './origins.ts';

/** The WebSockets of a relay. */
export interface Sockets {
  /** Tells every device of the organisation that its log has grown; cuts off those it removed. */
  grown(org: OrgId): void;
  /** Tells these devices of the organisation, as far as they are connected, to look there again. */
  hint(org: OrgId, devices: Recipients, topic: HintTopic): void;
  /** Takes no new sockets. */
  stopAccepting(): void;
  /** Closes all sockets as 'going away'; resolves when they are gone. */
  close(): Promise<void>;
}

/** What the sockets of a relay share, and which web pages may open them. */
interface SocketsOptions extends Omit<ConnectionOptions, 'greeted' | 'ended'> {
  readonly origins: Origins;
}

/** Serves WebSockets on `/v1/socket` of an HTTP server. */
export function serveSockets(http: Server, options: SocketsOptions): Sockets {
  const { limits, log } = options;
  const open = new Set<Connection>();
  const byOrg = new Map<OrgId, Set<Connection>>();
  let accepting = true;
  let whenEmpty: () => void = () => undefined;
  const protocol = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    // Ciphertext does not compress, and compression beside secrets leaks them.
    perMessageDeflate: false,
    maxPayload: LIMITS.announceFrameBytes,
  });
  const ticker = setInterval(() => {
    for (const connection of open) connection.tick();
  }, limits.pingMs);

  function upgrade(request: IncomingMessage, tcp: Socket, head: Buffer): void {
    tcp.on('error', () => tcp.destroy());
    const path = request.url?.split('?', 1)[0];
    if (path !== '/v1/socket') return refuse(tcp, '404 Not Found');
    if (!options.origins.allows(request.headers.origin)) return refuse(tcp, '403 Forbidden');
    if (!accepting || open.size >= limits.sockets) return refuse(tcp, '503 Service Unavailable');
    protocol.handleUpgrade(request, tcp, head, (socket) => {
      open.add(
        createConnection(socket, tcp, {
          ...options,
          greeted(connection, { org }) {
            byOrg.set(org, (byOrg.get(org) ?? new Set()).add(connection));
          },
          ended(connection, organisation, reason) {
            open.delete(connection);
            const mates = organisation === null ? undefined : byOrg.get(organisation.org);
            mates?.delete(connection);
            if (organisation !== null && mates?.size === 0) byOrg.delete(organisation.org);
            log({ event: 'socket-closed', reason, sockets: open.size });
            if (open.size === 0) whenEmpty();
          },
        }),
      );
      log({ event: 'socket-opened', sockets: open.size });
    });
  }
  http.on('upgrade', upgrade);

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
    async close() {
      accepting = false;
      clearInterval(ticker);
      const empty = new Promise<void>((resolve) => {
        whenEmpty = resolve;
      });
      for (const connection of open) connection.close(1001, 'relay-closing');
      if (open.size > 0) await empty;
    },
  };
}

function refuse(tcp: Socket, status: string): void {
  tcp.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
