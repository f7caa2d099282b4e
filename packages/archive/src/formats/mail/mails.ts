import type { CborValue } from '@keytide/crypto-core';
import { toJson } from '../../container/content.ts';
import type { NamedAttachment } from '../../export/source.ts';
import type { DerivedFile, OpenedAttachments } from '../derived-file.ts';
import { operationIn, type Operation } from '../operation.ts';
import { countsIn, type MessageEntry, type OpenedEntries, type OpenedEntry } from '../opened-entry.ts';
import { referenceIn } from '../reference.ts';
import { textPieces } from '../text-pieces.ts';
import { base64Lines } from './base64.ts';
import { encodedWords, parameter } from './header.ts';

/** Which messages become mails, and with what. */
export interface MailOptions {
  /** A log of messages. */
  readonly collection: string;
  /** Without it, attachments are left out. */
  readonly attachments?: OpenedAttachments;
}

/** What a mail is made of. */
interface Letter extends Pick<OpenedEntry, 'group' | 'name'> {
  readonly entry: MessageEntry;
  readonly operation: Operation;
}

const DAYS = 'Sun Mon Tue Wed Thu Fri Sat'.split(' ');
const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');
/** Not in base64, of which all parts are. */
const BOUNDARY = '=_keytide';

/** A mail (RFC 5322, RFC 2045) for each message of a log that counts: `GROUP/SEQ.eml`. Docs/spec/derived-formats.md. */
export async function* mailFiles(
  entries: OpenedEntries,
  { collection, attachments }: MailOptions,
): AsyncGenerator<DerivedFile, void, undefined> {
  for await (const { group, name, entry } of entries()) {
    if (entry.kind !== 'message' || !countsIn(entry)) continue;
    const operation = operationIn(entry.payload);
    if (operation?.act !== 'append' || operation.collection !== collection) continue;
    const parts = mail({ group, name, entry, operation }, attachments ?? null);
    yield { name: `${group}/${String(entry.seq).padStart(12, '0')}.eml`, content: textPieces(parts) };
  }
}

async function* mail(
  letter: Letter,
  attachments: OpenedAttachments | null,
): AsyncGenerator<string, void, undefined> {
  const { group, name, entry, operation } = letter;
  const { ms, collection, item } = operation;
  const subject = item === '' ? collection : `${collection}, ${item}`;
  const here =
    attachments === null ? [] : entry.attachments.filter((named) => attachments.missing(named) === null);
  const multipart = `multipart/mixed; boundary="${BOUNDARY}"`;
  yield [
    `Date: ${dateOf(ms)}`,
    `From:${encodedWords(name ?? entry.member)}\r\n <${entry.member}@members.invalid>`,
    `To:${encodedWords(collection)}\r\n <${group}@groups.invalid>`,
    `Subject:${encodedWords(subject)}`,
    `Message-ID:\r\n <${entry.seq}.${group}@groups.invalid>`,
    `Keytide-Device: ${entry.sender}`,
    'MIME-Version: 1.0',
    ...(here.length === 0 ? [] : [`Content-Type: ${multipart}`, '', `--${BOUNDARY}`]),
    'Content-Type: text/plain; charset=utf-8',
    'Content-Transfer-Encoding: base64',
    '\r\n',
  ].join('\r\n');
  yield* base64Lines(textPieces([textOf(operation.body)]));
  if (attachments === null || here.length === 0) return;
  for (const named of here) {
    const { called, type } = describedIn(operation.body, named);
    yield [
      `--${BOUNDARY}`,
      `Content-Type: ${type}`,
      `Content-Disposition: attachment${parameter('filename', called)}`,
      'Content-Transfer-Encoding: base64',
      '\r\n',
    ].join('\r\n');
    yield* base64Lines(attachments.read(named));
  }
  yield `--${BOUNDARY}--\r\n`;
}

/** The text, and behind it each other field as JSON; lines end as in mails. */
function textOf({ text, ...rest }: Operation['body']): string {
  const said = typeof text === 'string' ? [text] : text === undefined ? [] : [`text: ${json(text)}`];
  const fields = Object.entries(rest).map(([field, value]) => `${field}: ${json(value)}`);
  return `${[...said, ...(fields.length === 0 ? [] : [fields.join('\n')])].join('\n\n').replace(/\r\n|\r|\n/g, '\r\n')}\r\n`;
}

function json(value: CborValue): string {
  return JSON.stringify(toJson(value));
}

/** Like RFC 5322 §3.3, in UTC. */
function dateOf(ms: number): string {
  const date = new Date(ms);
  const day = `${DAYS[date.getUTCDay()]}, ${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]}`;
  const time = [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()];
  return `${day} ${date.getUTCFullYear()} ${time.map((part) => String(part).padStart(2, '0')).join(':')} +0000`;
}

const TYPE = /^(?:application|audio|font|image|model|text|video)\/[A-Za-z0-9][A-Za-z0-9.+-]{0,60}$/;

/** What the message says of an attachment; a kind that is none, or that cannot be base64, is bytes. */
function describedIn(
  value: CborValue,
  named: NamedAttachment,
): { readonly called: string; readonly type: string } {
  const found = referenceIn(value, named.blob) ?? {};
  const { name, mediaType } = found;
  return {
    called: typeof name === 'string' && name !== '' ? name : named.blob,
    type: typeof mediaType === 'string' && TYPE.test(mediaType) ? mediaType : 'application/octet-stream',
  };
}
