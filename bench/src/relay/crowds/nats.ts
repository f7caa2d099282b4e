import { randomBytes } from 'node:crypto';
import { MESSAGE_BYTES, numberIn, writeNumber, type Crowd, type CrowdEvents, type Shape } from './crowd.ts';
import { openLine, signal, type Line } from './line.ts';

/** Where NATS listens. */
export interface NatsTarget {
  readonly port: number;
}

/**
 * NATS' own protocol: a stream in a file, publications that are answered once it has them, and push consumers that need
 * not acknowledge: as with our logs, whoever missed something asks from where it was.
 */
export async function openNatsCrowd(
  { port }: NatsTarget,
  { groups, listeners }: Shape,
  events: CrowdEvents,
): Promise<Crowd> {
  const run = `R${randomBytes(4).toString('hex')}`;
  const calls = await openCalls(port, events.failed);
  await calls(`STREAM.CREATE.${run}`, { name: run, subjects: [`${run}.*`], storage: 'file', max_age: 0 });
  for (let group = 0; group < groups; group += 1) {
    for (let listener = 0; listener < listeners; listener += 1) {
      const deliver = `D${run}.${group}.${listener}`;
      const line = await open(port, events.failed, (_subject, bytes, start) =>
        events.heard(group, listener, numberIn(bytes, start)),
      );
      line.write(`SUB ${deliver} 1\r\n`);
      await flushed(line);
      await calls(`CONSUMER.CREATE.${run}`, {
        stream_name: run,
        config: {
          deliver_subject: deliver,
          deliver_policy: 'new',
          ack_policy: 'none',
          filter_subject: `${run}.${group}`,
        },
      });
    }
  }
  const publishers: { line: Line; message: Buffer }[] = [];
  for (let group = 0; group < groups; group += 1) {
    const inbox = `I${run}${group}`;
    const line = await open(port, events.failed, (subject, bytes, start, end) => {
      if (!bytes.toString('latin1', start, end).includes('"seq"')) throw new Error('NATS refuses a message');
      events.accepted(Number(subject.slice(inbox.length + 1)));
    });
    line.write(`SUB ${inbox}.* 1\r\n`);
    publishers.push({ line, message: randomBytes(MESSAGE_BYTES) });
  }
  return {
    publish(group, number) {
      const { line, message } = publishers[group] as (typeof publishers)[number];
      writeNumber(message, number);
      const head = `PUB ${run}.${group} I${run}${group}.${number} ${MESSAGE_BYTES}\r\n`;
      line.write(Buffer.concat([Buffer.from(head, 'latin1'), message, END]));
    },
  };
}

type MessageCame = (subject: string, bytes: Buffer, start: number, end: number) => void;
type NatsLine = Line & { ponged: (() => void)[] };

const END = Buffer.from('\r\n');
const MSG = 0x4d;

async function open(
  port: number,
  failed: (error: Error) => void,
  messageCame: MessageCame,
): Promise<NatsLine> {
  const ponged: (() => void)[] = [];
  const greeted = signal();
  const line: Line = await openLine(
    port,
    (bytes) => {
      let at = 0;
      for (;;) {
        const end = bytes.indexOf(END, at);
        if (end < 0) return at;
        if (bytes[at] === MSG) {
          const size = sizeBefore(bytes, end);
          const start = end + 2;
          if (start + size + 2 > bytes.length) return at;
          const subject = bytes.toString('latin1', at + 4, bytes.indexOf(32, at + 4));
          messageCame(subject, bytes, start, start + size);
          at = start + size + 2;
          continue;
        }
        const command = bytes.toString('latin1', at, end);
        if (command.startsWith('INFO')) greeted.give();
        else if (command === 'PING') line.write('PONG\r\n');
        else if (command === 'PONG') ponged.shift()?.();
        else throw new Error(`NATS says ${command}`);
        at = end + 2;
      }
    },
    failed,
  );
  await greeted.given;
  line.write('CONNECT {"verbose":false,"pedantic":false,"headers":false}\r\n');
  return { ...line, ponged };
}

/** The last word of the line that ends here is how long the message is. */
function sizeBefore(bytes: Buffer, end: number): number {
  let size = 0;
  let unit = 1;
  for (let at = end - 1; bytes[at] !== 32; at -= 1) {
    size += ((bytes[at] as number) - 48) * unit;
    unit *= 10;
  }
  return size;
}

async function flushed(line: NatsLine): Promise<void> {
  const pong = signal();
  line.ponged.push(pong.give);
  line.write('PING\r\n');
  await pong.given;
}

async function openCalls(
  port: number,
  failed: (error: Error) => void,
): Promise<(name: string, body: unknown) => Promise<void>> {
  let answered: (text: string) => void = () => undefined;
  const inbox = `C${randomBytes(4).toString('hex')}`;
  const line = await open(port, failed, (_subject, bytes, start, end) =>
    answered(bytes.toString('utf8', start, end)),
  );
  line.write(`SUB ${inbox} 1\r\n`);
  return async (name, body) => {
    const answer = new Promise<string>((resolve) => {
      answered = resolve;
    });
    const text = JSON.stringify(body);
    line.write(`PUB $JS.API.${name} ${inbox} ${text.length}\r\n${text}\r\n`);
    const said = JSON.parse(await answer) as { error?: { description: string } };
    if (said.error !== undefined) throw new Error(`NATS: ${said.error.description}`);
  };
}
