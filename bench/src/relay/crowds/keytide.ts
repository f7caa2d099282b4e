import { once } from 'node:events';
import { concatBytes, groupId, idBytes, uint32Bytes, type GroupId } from '@keytide/crypto-core';
import { nodeRandom as random } from '@keytide/crypto-core/node';
import { decodeRelayFrame, encodeClientFrame } from '@keytide/relay-protocol';
import { WebSocket } from 'ws';
import { MESSAGE_BYTES, numberIn, writeNumber, type Crowd, type CrowdEvents, type Shape } from './crowd.ts';
import { signal } from './line.ts';

/** A relay, or several in front of one database: a group for each of a crowd's, and who may open sockets for it. */
export interface KeytideTarget {
  /** Connections are spread over them. */
  readonly urls: readonly string[];
  readonly groups: readonly {
    readonly group: string;
    /** One session or more; connections are spread over them. */
    readonly tokens: readonly string[];
  }[];
}

/** Connections that are opened at once. */
const AT_ONCE = 50;

/** The frames that our clients send and read, over their WebSockets. */
export async function openKeytideCrowd(
  { urls, groups }: KeytideTarget,
  { listeners }: Shape,
  events: CrowdEvents,
): Promise<Crowd> {
  let opened = 0;
  const nextUrl = (): string => urls[opened++ % urls.length] as string;
  const publishers: ((number: number) => void)[] = [];
  for (const [place, { group: id, tokens }] of groups.entries()) {
    const group = groupId(id);
    const token = (connection: number): string => tokens[connection % tokens.length] as string;
    for (let first = 0; first < listeners; first += AT_ONCE)
      await Promise.all(
        Array.from({ length: Math.min(AT_ONCE, listeners - first) }, (_, next) =>
          listen(nextUrl(), token(first + next + 1), group, events, (number) =>
            events.heard(place, first + next, number),
          ),
        ),
      );
    publishers.push(await publisher(nextUrl(), token(0), group, events));
  }
  return { publish: (group, number) => (publishers[group] as (number: number) => void)(number) };
}

async function listen(
  url: string,
  token: string,
  group: GroupId,
  { failed }: CrowdEvents,
  heard: (number: number) => void,
): Promise<void> {
  const caughtUp = signal();
  const socket = await greet(url, token, failed, (frame) => {
    if (frame.type === 'caught-up') return caughtUp.give();
    if (frame.type !== 'entries') return;
    for (const { kind, bytes } of frame.entries) if (kind === 'envelope') heard(numberIn(bytes, 0));
  });
  socket.send(encodeClientFrame({ type: 'subscribe', group, afterSeq: 0 }));
  await caughtUp.given;
}

async function publisher(
  url: string,
  token: string,
  group: GroupId,
  { accepted, failed }: CrowdEvents,
): Promise<(number: number) => void> {
  const socket = await greet(url, token, failed, (frame) => {
    if (frame.type === 'appended') accepted(frame.requestId);
  });
  const header = concatBytes(Uint8Array.of(1, 1), idBytes(group), uint32Bytes(1));
  const envelope = concatBytes(header, random(MESSAGE_BYTES - header.length));
  return (number) => {
    writeNumber(envelope, number);
    const items = [{ messageId: random(16), envelope }];
    socket.send(encodeClientFrame({ type: 'append', requestId: number, group, items }));
  };
}

/** Opens a socket and says hello. */
export async function greet(
  url: string,
  token: string,
  failed: (error: Error) => void,
  came: (frame: ReturnType<typeof decodeRelayFrame>) => void,
): Promise<WebSocket> {
  const welcomed = signal();
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/socket`, { perMessageDeflate: false });
  socket.on('message', (data: Buffer) => {
    const frame = decodeRelayFrame(new Uint8Array(data.buffer, data.byteOffset, data.length));
    if (frame.type === 'welcome') welcomed.give();
    else if (frame.type === 'refused') failed(new Error(`the relay refuses: ${frame.code}`));
    else came(frame);
  });
  await once(socket, 'open');
  socket.on('error', failed);
  socket.on('close', () => failed(new Error('the relay closed a socket')));
  socket.send(encodeClientFrame({ type: 'hello', token }));
  await welcomed.given;
  return socket;
}
