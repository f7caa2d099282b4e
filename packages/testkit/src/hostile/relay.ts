import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import type { Attack, HostileLink } from './attack.ts';
import { createCalls } from './calls.ts';
import { joinSockets, type GivenEntry, type LinkHost } from './link.ts';

/** Where the real relay is. */
export interface HostileRelayOptions {
  /**
   * Its address; or what starts it, given the origin that clients will use. The real relay must have that
   * origin as its `publicUrl`, as logins are bound to it.
   */
  readonly target: string | ((publicUrl: string) => Promise<string>);
}

/** A relay that does what a test says. Without attacks it only carries. */
export interface HostileRelay {
  /** The origin to give to clients: `http://127.0.0.1:PORT`. */
  readonly url: string;
  /** Starts an attack; the returned function ends it. */
  attack(attack: Attack): () => void;
  /** Ends all attacks. */
  relent(): void;
  /** The live connections of a device, oldest first. */
  linksOf(device: string): readonly HostileLink[];
  /** The newest entry of a group's log that a device was given; `null` before the first. */
  givenTo(device: string): GivenEntry | null;
  /** Everything that clients and the real relay sent so far: request lines, headers, bodies, frames. */
  readonly traffic: readonly Uint8Array[];
  /** Cuts all connections. The real relay is whoever's who started it. */
  close(): Promise<void>;
}

/**
 * Puts itself between clients and a real relay, on a free loopback port: the attacker of the threat model,
 * who has the relay and the network and none of the keys.
 */
export async function hostileRelay(options: HostileRelayOptions): Promise<HostileRelay> {
  const attacks: Attack[] = [];
  const links = new Set<HostileLink>();
  const owners = new Map<string, string>();
  const given = new Map<string, GivenEntry>();
  const traffic: Uint8Array[] = [];
  const host: LinkHost = {
    attacksOn: (who) => attacks.filter(({ victim }) => victim === undefined || victim === who),
    ownerOf: (token) => owners.get(token) ?? null,
    saw: (bytes) => void traffic.push(bytes),
    gave: (who, entry) => void (who !== null && given.set(who, entry)),
  };

  let target = '';
  const sockets = new Set<Socket>();
  const server = createServer(createCalls({ ...host, target: () => target, owners }));
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  target = typeof options.target === 'string' ? options.target : await options.target(url);

  const upgrades = new WebSocketServer({ noServer: true, maxPayload: 0 });
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    const relay = new WebSocket(`${target.replace(/^http/, 'ws')}${request.url}`);
    relay.on('error', () => socket.destroy());
    relay.on('open', () => {
      upgrades.handleUpgrade(request, socket, head, (client) => {
        const link = joinSockets(client, relay, host);
        links.add(link);
        client.on('close', () => links.delete(link));
      });
    });
  });

  return {
    url,
    traffic,
    attack(attack) {
      attacks.push(attack);
      return () => void (attacks.includes(attack) && attacks.splice(attacks.indexOf(attack), 1));
    },
    relent: () => void attacks.splice(0),
    linksOf: (device) => [...links].filter(({ who }) => who === device),
    givenTo: (device) => given.get(device) ?? null,
    async close() {
      for (const link of links) link.cut();
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}
