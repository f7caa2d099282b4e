import { randomBytes } from 'node:crypto';
import { MESSAGE_BYTES, numberIn, writeNumber, type Crowd, type CrowdEvents, type Shape } from './crowd.ts';
import { openLine, signal, type Line } from './line.ts';

/** Where Mosquitto listens. */
export interface MqttTarget {
  readonly port: number;
}

const CONNACK = 2;
const PUBLISH = 3;
const PUBACK = 4;
const SUBACK = 9;

/** MQTT 3.1.1: both ways with QoS 1, sessions that outlive their connection. */
export async function openMqttCrowd(
  { port }: MqttTarget,
  { groups, listeners }: Shape,
  events: CrowdEvents,
): Promise<Crowd> {
  const run = randomBytes(4).toString('hex');
  const publishers = await Promise.all(
    Array.from({ length: groups }, async (_, group) => {
      const topic = `${run}/${group}`;
      await Promise.all(
        Array.from({ length: listeners }, (_listener, listener) =>
          listen(port, `${run}-${group}-${listener}`, topic, events, (number) =>
            events.heard(group, listener, number),
          ),
        ),
      );
      return publisher(port, `${run}-${group}`, topic, events);
    }),
  );
  return { publish: (group, number) => (publishers[group] as (number: number) => void)(number) };
}

async function listen(
  port: number,
  id: string,
  topic: string,
  { failed }: CrowdEvents,
  heard: (number: number) => void,
): Promise<void> {
  const subscribed = signal();
  const line: Line = await open(port, id, failed, (type, packet, acks) => {
    if (type === SUBACK) return subscribed.give();
    if (type !== PUBLISH) return;
    const topicBytes = packet.readUInt16BE(0);
    const body = 2 + topicBytes + 2;
    acks.push(PUBACK << 4, 2, packet[body - 2] as number, packet[body - 1] as number);
    heard(numberIn(packet, body));
  });
  line.write(packetOf(0x82, Buffer.from([0, 1]), text(topic), Buffer.from([1])));
  await subscribed.given;
}

async function publisher(
  port: number,
  id: string,
  topic: string,
  { accepted, failed }: CrowdEvents,
): Promise<(number: number) => void> {
  const numbers = new Map<number, number>();
  const line = await open(port, id, failed, (type, packet) => {
    if (type !== PUBACK) return;
    const packetId = packet.readUInt16BE(0);
    accepted(numbers.get(packetId) as number);
    numbers.delete(packetId);
  });
  const packet = packetOf(0x32, text(topic), Buffer.alloc(2), randomBytes(MESSAGE_BYTES));
  const body = packet.length - MESSAGE_BYTES;
  let last = 0;
  return (number) => {
    last = (last % 65_535) + 1;
    numbers.set(last, number);
    const mine = Buffer.from(packet);
    mine.writeUInt16BE(last, body - 2);
    writeNumber(mine.subarray(body), number);
    line.write(mine);
  };
}

/** Connects with a session that outlives the connection. All acknowledgements of what came at once leave together. */
async function open(
  port: number,
  id: string,
  failed: (error: Error) => void,
  packetCame: (type: number, packet: Buffer, acks: number[]) => void,
): Promise<Line> {
  const connected = signal();
  const line: Line = await openLine(
    port,
    (bytes) => {
      let at = 0;
      const acks: number[] = [];
      for (;;) {
        const head = headAt(bytes, at);
        if (head === null) break;
        const type = (bytes[at] as number) >> 4;
        if (type === CONNACK) connected.give();
        packetCame(type, bytes.subarray(head.start, head.end), acks);
        at = head.end;
      }
      if (acks.length > 0) line.write(Buffer.from(acks));
      return at;
    },
    failed,
  );
  // Version 4 is 3.1.1; no clean session, no keep-alive.
  line.write(packetOf(0x10, text('MQTT'), Buffer.from([4, 0, 0, 0]), text(id)));
  await connected.given;
  return line;
}

function headAt(bytes: Buffer, at: number): { start: number; end: number } | null {
  let length = 0;
  for (let i = 1; i <= 4; i += 1) {
    const byte = bytes[at + i];
    if (byte === undefined) return null;
    length += (byte & 127) * 128 ** (i - 1);
    if (byte > 127) continue;
    const start = at + i + 1;
    return start + length > bytes.length ? null : { start, end: start + length };
  }
  throw new Error('not a length of MQTT');
}

function packetOf(first: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const head = [first];
  let left = body.length;
  do {
    head.push((left % 128) + (left > 127 ? 128 : 0));
    left = Math.floor(left / 128);
  } while (left > 0);
  return Buffer.concat([Buffer.from(head), body]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]);
}
