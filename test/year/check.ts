import type { DeviceId } from '@keytide/crypto-core';
import type { Cast } from './cast.ts';
import type { Phone } from './phone.ts';
import type { Table } from './table.ts';

/** Texts that somebody wrote, by the message's place in the group's log: what the first device showed of it. */
export type Texts = Map<number, string>;

/**
 * Holds what each device shows against what it should: each message is there, or is said to be unreadable for the
 * reason that it has to be. Answers what is otherwise.
 */
export function check(cast: Cast, table: Table, texts: Texts): string[] {
  const wrong = cast.ledger.problems.splice(0);
  for (const phone of cast.phones) {
    if (phone.isOn && cast.isLocked(phone)) wrong.push(...checkLocked(cast, table, phone));
    else if (!cast.isActive(phone)) wrong.push(...checkEnded(cast, table, phone));
    else if (cast.shut.has(phone)) table.add('(lease over)');
    else if (phone.isOn) wrong.push(...checkOne(cast, table, texts, phone));
    else table.add('(switched off)');
  }
  return wrong;
}

/** A device that is in the organisation and on. */
function checkOne(cast: Cast, table: Table, texts: Texts, phone: Phone): string[] {
  const wrong: string[] = [];
  const shown = new Map(phone.app.collections.chat.read().map((item) => [item.seq, item]));
  const reasons = new Map(phone.app.unreadable.map(({ seq, code }) => [seq, code]));
  const standing = cast.standing(phone);
  const sent = cast.ledger.sentBy(standing.device);
  // What waits for a new epoch waits for somebody whose clock the relay believes.
  const waiting = phone.isFast ? phone.app.waiting : 0;
  const written = (cast.accepted.get(phone) ?? 0) - phone.unsent - waiting;
  if (!phone.isCut && sent !== written)
    wrong.push(`${phone.name} wrote ${written} messages, and the log has ${sent}`);
  for (const seq of cast.ledger.messages) {
    const item = shown.get(seq);
    const reason = reasons.get(seq);
    const actual =
      item !== undefined && reason !== undefined ? 'both' : (reason ?? (item && 'read') ?? 'nothing');
    if (phone.isCut && actual === 'nothing' && seq > phone.seenSeq) {
      table.add('(not here yet: no network)');
      continue;
    }
    const expected = cast.ledger.showing(standing, seq);
    table.add(actual);
    if (actual !== expected) wrong.push(`${phone.name} shows of ${seq}: ${actual}, not ${expected}`);
    if (item === undefined) continue;
    const text = texts.get(seq) ?? item.body.text;
    texts.set(seq, text);
    if (item.body.text !== text || !text.startsWith(`${cast.nameOf(item.device)} `))
      wrong.push(`${phone.name} reads of ${seq}: '${item.body.text}' of ${cast.nameOf(item.device)}`);
  }
  return wrong;
}

/** A device that is on and has gone without the relay for longer than its lease; one that was wiped before stays so. */
function checkLocked(cast: Cast, table: Table, phone: Phone): string[] {
  const { kind } = phone.app.state;
  const isWiped = phone.id !== null && cast.rolls.wiped.has(phone.id);
  const shown = phone.app.collections.chat.read().length;
  table.add(kind === 'wiped' ? '(wiped)' : '(locked)');
  const isRight = shown === 0 && (kind === 'locked' || (isWiped && kind === 'wiped'));
  return isRight ? [] : [`${phone.name} has to be locked, is ${kind} and shows ${shown} messages`];
}

/** A device that was ended: as soon as it has heard of it, it shows that it is over. */
function checkEnded(cast: Cast, table: Table, phone: Phone): string[] {
  if (!phone.isOn) {
    table.add('(lost or given up)');
    return [];
  }
  if (phone.isCut) {
    table.add('(ended, and has not heard of it)');
    return [];
  }
  const wasActive = cast.rolls.wiped.get(phone.id as DeviceId);
  const { kind } = phone.app.state;
  const shown = phone.app.collections.chat.read().length;
  table.add(kind === 'wiped' ? '(wiped)' : '(ended)');
  // Who was ended before the order may have stopped by then, and reads it at the next start.
  const isRight = kind === 'wiped' ? wasActive !== undefined : kind === 'stopped' && wasActive !== true;
  if (!isRight) return [`${phone.name} was ended, and is ${kind}`];
  return kind === 'wiped' && shown > 0 ? [`${phone.name} was wiped, and shows ${shown} messages`] : [];
}
