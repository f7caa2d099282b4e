import { randomBytes } from 'node:crypto';
import { MESSAGE_BYTES, type Crowd, type CrowdEvents, type Shape } from './crowd.ts';
import { openLine, type Line } from './line.ts';

/** Where ejabberd listens. */
export interface XmppTarget {
  readonly port: number;
  readonly host: string;
}

const END = Buffer.from('</message>');
const BODY = Buffer.from('<body>');
const DIGITS = 10;

/**
 * XMPP in a multi-user chat. Who publishes is in the room as well, hears itself, and knows by that that the message was
 * accepted: it is the first of the listeners, unless that would be the only one.
 */
export async function openXmppCrowd(
  target: XmppTarget,
  { groups, listeners }: Shape,
  events: CrowdEvents,
): Promise<Crowd> {
  const run = randomBytes(4).toString('hex');
  const publishers: ((number: number) => void)[] = [];
  const isListener = listeners > 1;
  for (let group = 0; group < groups; group += 1) {
    const room = `r${run}-${group}@conference.${target.host}`;
    const line = await enter(target, room, 'publisher', events, (number) => {
      events.accepted(number);
      if (isListener) events.heard(group, 0, number);
    });
    for (let listener = isListener ? 1 : 0; listener < listeners; listener += 1)
      await enter(target, room, `l${listener}`, events, (number) => events.heard(group, listener, number));
    const filling = randomBytes(MESSAGE_BYTES)
      .toString('base64')
      .slice(0, MESSAGE_BYTES - DIGITS);
    publishers.push((number) => {
      const body = String(number).padStart(DIGITS, '0') + filling;
      line.write(`<message to='${room}' type='groupchat' id='m${number}'><body>${body}</body></message>`);
    });
  }
  return { publish: (group, number) => (publishers[group] as (number: number) => void)(number) };
}

/** Logs in, and enters a room without its history. */
async function enter(
  { port, host }: XmppTarget,
  room: string,
  nick: string,
  { failed }: CrowdEvents,
  heard: (number: number) => void,
): Promise<Line> {
  let wanted: { text: string; found: () => void } | null = null;
  let isIn = false;
  const line = await openLine(
    port,
    (bytes) => (isIn ? readMessages(bytes, heard) : readGreeting(bytes)),
    failed,
  );
  function readGreeting(bytes: Buffer): number {
    const text = bytes.toString('latin1');
    if (wanted === null || !text.includes(wanted.text)) {
      if (text.includes('<failure') || text.includes("type='error'"))
        throw new Error(`ejabberd refuses: ${text}`);
      return 0;
    }
    const { found } = wanted;
    wanted = null;
    found();
    return bytes.length;
  }
  async function ask(question: string, text: string): Promise<void> {
    const answered = new Promise<void>((resolve) => {
      wanted = { text, found: resolve };
    });
    line.write(question);
    await answered;
  }
  const stream = `<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='${host}' version='1.0'>`;
  await ask(stream, '</stream:features>');
  await ask("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'/>", '<success');
  await ask(stream, '</stream:features>');
  await ask("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>", '</iq>');
  const presence = `<presence to='${room}/${nick}'><x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x></presence>`;
  // Its own presence comes last, then the subject, which is empty.
  await ask(presence, '<subject');
  isIn = true;
  return line;
}

function readMessages(bytes: Buffer, heard: (number: number) => void): number {
  let at = 0;
  for (;;) {
    const end = bytes.indexOf(END, at);
    if (end < 0) return at;
    const body = bytes.indexOf(BODY, at);
    if (body >= 0 && body < end) heard(Number(bytes.toString('latin1', body + 6, body + 6 + DIGITS)));
    at = end + END.length;
  }
}
