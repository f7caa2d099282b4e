import {
  encodeClientFrame,
  decodeRelayFrame,
  type ClientFrame,
  type RelayFrame,
} from '@keytide/relay-protocol';
import type { Ports } from './ports.ts';

/** What carries frames to the relay and back. */
export interface Line {
  /** What is not carried any more is lost. */
  send(frame: ClientFrame): void;
  close(): void;
}

/** Who is at this end of a line. */
export interface LineEnd {
  /** Frames can be sent. */
  opened(): void;
  /** The relay said this; `null` for what is no frame, with the reason. */
  received(frame: RelayFrame | null, cause?: unknown): void;
  /** Nothing comes any more. */
  ended(): void;
}

/** Begins a line; nobody is called before it returns. */
export type Dial = (end: LineEnd) => Line;

/** A line over one WebSocket. */
export function dialSocket(ports: Pick<Ports, 'WebSocket'>, url: string): Dial {
  return (end) => {
    const socket = new ports.WebSocket(url);
    socket.binaryType = 'arraybuffer';
    socket.addEventListener('open', () => end.opened());
    socket.addEventListener('message', ({ data }) => {
      let frame: RelayFrame;
      try {
        if (!(data instanceof ArrayBuffer)) throw new TypeError('text');
        frame = decodeRelayFrame(new Uint8Array(data));
      } catch (cause) {
        return end.received(null, cause);
      }
      end.received(frame);
    });
    socket.addEventListener('error', () => end.ended());
    socket.addEventListener('close', () => end.ended());
    return {
      send(frame) {
        if (socket.readyState === 1) socket.send(encodeClientFrame(frame) as Uint8Array<ArrayBuffer>);
      },
      close: () => socket.close(),
    };
  };
}
