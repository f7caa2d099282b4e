import {
  decodeRelayFrame,
  encodeClientFrame,
  type ClientFrame,
  type RelayFrame,
} from '@keytide/relay-protocol';
import type { Relay } from '@keytide/server-relay';
import { WebSocket, type ClientOptions } from 'ws';

type FrameOf<T extends RelayFrame['type']> = Extract<RelayFrame, { type: T }>;

/** A WebSocket to a relay, seen from a test. */
export interface Line {
  readonly socket: WebSocket;
  /** Every frame so far. */
  readonly frames: readonly RelayFrame[];
  /** A subscribe is of the relay's own timeline, unless it says of which. */
  send(frame: ClientFrame): void;
  sendBytes(bytes: Uint8Array): void;
  /** The first frame of this type that was not taken yet; waits for it. Rejects when the line ends without it. */
  next<T extends RelayFrame['type']>(type: T): Promise<FrameOf<T>>;
  /** Resolves at the end with the WebSocket status. */
  readonly ended: Promise<number>;
}

/** Opens a socket and says nothing. */
export async function dial(relay: Pick<Relay, 'url'>, options: ClientOptions = {}): Promise<Line> {
  const socket = new WebSocket(`${relay.url.replace('http', 'ws')}/v1/socket`, options);
  const frames: RelayFrame[] = [];
  const taken = new Set<RelayFrame>();
  let wake: (() => void)[] = [];
  let isOver = false;
  function wakeAll(): void {
    const calls = wake;
    wake = [];
    for (const call of calls) call();
  }
  socket.on('message', (data: Buffer) => {
    frames.push(decodeRelayFrame(new Uint8Array(data)));
    wakeAll();
  });
  const ended = new Promise<number>((resolve) => {
    socket.on('close', (status) => {
      isOver = true;
      resolve(status);
      wakeAll();
    });
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });
  socket.on('error', () => undefined);
  return {
    socket,
    frames,
    ended,
    send(frame) {
      const welcome = frames.find(({ type }) => type === 'welcome');
      const of = welcome?.type === 'welcome' ? { timeline: welcome.timeline } : {};
      socket.send(encodeClientFrame(frame.type === 'subscribe' ? { ...of, ...frame } : frame));
    },
    sendBytes: (bytes) => socket.send(bytes),
    async next(type) {
      for (;;) {
        const frame = frames.find((candidate) => candidate.type === type && !taken.has(candidate));
        if (frame !== undefined) {
          taken.add(frame);
          return frame as FrameOf<typeof type>;
        }
        if (isOver) throw new Error(`the line ended without ${type}, after ${frames.at(-1)?.type}`);
        await new Promise<void>((resolve) => wake.push(resolve));
      }
    },
  };
}

/** Opens a socket and says hello. */
export async function greet(
  relay: Pick<Relay, 'url'>,
  token: string,
  options?: ClientOptions,
): Promise<Line> {
  const line = await dial(relay, options);
  line.send({ type: 'hello', token });
  await line.next('welcome');
  return line;
}

/** The seqs of every entry that came, in the order in which they came. */
export function seqsOf(line: Line): number[] {
  return line.frames.flatMap((frame) =>
    frame.type === 'entries' ? frame.entries.map((_entry, i) => frame.firstSeq + i) : [],
  );
}
