import type { GroupId } from '@keytide/crypto-core';
import {
  decodeClientFrame,
  decodeRelayFrame,
  encodeClientFrame,
  encodeRelayFrame,
} from '@keytide/relay-protocol';
import type { ClientFrame, RelayFrame } from '@keytide/relay-protocol';
import { WebSocket, type RawData } from 'ws';
import type { Attack, HostileLink, Instead } from './attack.ts';

/** What a link needs from the relay it belongs to. */
export interface LinkHost {
  /** The attacks that are on for `who`, in order. */
  attacksOn(who: string | null): readonly Attack[];
  /** Whose session a token is. */
  ownerOf(token: string): string | null;
  /** Keeps bytes that a client or the real relay sent. */
  saw(bytes: Uint8Array): void;
  /** A client was given entries of a group's log up to this one. */
  gave(who: string | null, entry: GivenEntry): void;
}

/** A place in a group's log. */
export interface GivenEntry {
  readonly group: GroupId;
  readonly seq: number;
}

type Way<Frame> = {
  readonly socket: WebSocket;
  readonly decode: (bytes: Uint8Array) => Frame;
  readonly encode: (frame: Frame) => Uint8Array;
  readonly change: (attack: Attack, frame: Frame) => Instead<Frame> | undefined;
};

/** Joins a client's WebSocket to one of the real relay, attacks between them. */
export function joinSockets(client: WebSocket, relay: WebSocket, host: LinkHost): HostileLink {
  let who: string | null = null;
  let frozen = false;

  const link: HostileLink = {
    get who() {
      return who;
    },
    toClient: (frame) => deliver(down, frame),
    toRelay: (frame) => deliver(up, frame),
    freeze() {
      frozen = true;
    },
    cut() {
      client.terminate();
      relay.terminate();
    },
  };

  const down: Way<RelayFrame> = {
    socket: client,
    decode: decodeRelayFrame,
    encode(frame) {
      if (frame.type === 'entries') {
        const { group, firstSeq, entries } = frame;
        host.gave(who, { group, seq: firstSeq + entries.length - 1 });
      }
      return encodeRelayFrame(frame);
    },
    change: (attack, frame) => attack.toClient?.(frame, link),
  };
  const up: Way<ClientFrame> = {
    socket: relay,
    decode(bytes) {
      const frame = decodeClientFrame(bytes);
      if (frame.type === 'hello') who = host.ownerOf(frame.token);
      return frame;
    },
    encode: encodeClientFrame,
    change: (attack, frame) => attack.toRelay?.(frame, link),
  };

  function deliver<Frame>(way: Way<Frame>, frame: Frame | Uint8Array): void {
    if (frozen || way.socket.readyState !== WebSocket.OPEN) return;
    way.socket.send(frame instanceof Uint8Array ? frame : way.encode(frame));
  }

  async function pass<Frame>(way: Way<Frame>, bytes: Uint8Array): Promise<void> {
    let frames: (Frame | Uint8Array)[] = [way.decode(bytes)];
    for (const attack of host.attacksOn(who)) {
      const changed: (Frame | Uint8Array)[] = [];
      for (const frame of frames) {
        const instead = frame instanceof Uint8Array ? undefined : await way.change(attack, frame);
        changed.push(...(instead ?? [frame]));
      }
      frames = changed;
    }
    for (const frame of frames) deliver(way, frame);
  }

  function carry<Frame>(from: WebSocket, way: Way<Frame>): void {
    let last: Promise<void> = Promise.resolve();
    from.on('message', (data: RawData) => {
      const bytes = new Uint8Array(data as Buffer);
      host.saw(bytes);
      // A test that throws inside an attack, or a frame that is none, shows as a cut connection.
      last = last.then(() => pass(way, bytes)).catch(() => link.cut());
    });
    from.on('error', () => link.cut());
    from.on('close', (code, reason) => {
      void last.then(() => {
        if (frozen) return;
        if (code === 1005 || code === 1006) way.socket.terminate();
        else way.socket.close(code, reason);
      });
    });
  }

  carry(relay, down);
  carry(client, up);
  return link;
}
