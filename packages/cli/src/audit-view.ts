import type { AuditedEntry, AuditReport, Signatory } from '@keytide/client';
import { decodeUtf8 } from '@keytide/crypto-core';
import type { EntryBody } from '@keytide/key-directory';
import { describeAct } from './describe-act.ts';
import type { Keytide } from './organisation.ts';
import { formatTable } from './table.ts';
import { dateTime, isoTime } from './timestamps.ts';

/** An audit for people: the entries, and what it comes to. */
export function auditLines(client: Keytide, report: AuditReport): string[] {
  const { size, entries, alarms, relay } = report;
  const rows = entries.map((entry) => [
    String(entry.index),
    dateTime(entry.timeMs),
    what(client, entry.body),
    entry.signedBy.map((signatory) => who(client, signatory)).join(', '),
    entry.invitedBy === null ? '' : who(client, entry.invitedBy),
    entry.alarm === null ? '' : alarms.includes(entry) ? entry.alarm : `${entry.alarm}, noted`,
  ]);
  return [
    ...formatTable(COLUMNS, rows),
    '',
    `entries: ${size}, by or about you: ${entries.length}, alarms: ${alarms.length}`,
    ...(relay === null ? [] : [relayLine(relay)]),
  ];
}

/** An audit for programs. */
export function auditJson(client: Keytide, { size, entries, alarms, relay }: AuditReport): object {
  return {
    size,
    entries: entries.map(({ index, timeMs, body, signedBy, invitedBy, alarm }: AuditedEntry) => {
      const { kind } = body;
      return { index, time: isoTime(timeMs), kind, what: what(client, body), signedBy, invitedBy, alarm };
    }),
    alarms: alarms.map(({ index }) => index),
    relay: relay && { ...relay, ...relayJson(relay) },
  };
}

type Relay = NonNullable<AuditReport['relay']>;

function relayLine({ checkpoint, lookups, rebuilt, contradiction }: Relay): string {
  if (contradiction !== null) return `the relay was caught: ${contradiction.message}`;
  if (checkpoint === null) return 'the relay signs nothing here, so there is nothing to check';
  return `the relay proves the same to everybody: ${lookups} lookups, and the log as it was at size ${rebuilt}`;
}

function relayJson({ checkpoint, contradiction }: Relay): object {
  return {
    checkpoint: checkpoint && { size: checkpoint.size, note: decodeUtf8(checkpoint.note) },
    contradiction: contradiction && { code: contradiction.code, message: contradiction.message },
  };
}

/** What an entry did, in a line. */
function what(client: Keytide, body: EntryBody): string {
  switch (body.kind) {
    case 'genesis':
      return 'the organisation is founded';
    case 'join':
      return 'joined';
    case 'add-device':
      return 'another device joined';
    case 'policy':
      return 'the policy changes';
    case 'grant':
      return `device ${short(body.device)} is given earlier keys`;
    case 'deletion-receipt':
      return 'the relay has deleted what was due';
    case 'recovery':
      return 'the organisation is recovered';
    default:
      return describeAct(client, body)
        .join('; ')
        .replaceAll(/\b([0-9a-f]{8})[0-9a-f]{56}\b/g, '$1');
  }
}

function who(client: Keytide, { handle, device }: Signatory): string {
  return device === client.device ? 'this device' : `${handle} ${short(device)}`;
}

function short(id: string): string {
  return id.slice(0, 8);
}

const COLUMNS = [
  { heading: 'ENTRY', maxWidth: 8 },
  { heading: 'TIME', maxWidth: 16 },
  { heading: 'WHAT', maxWidth: 80 },
  { heading: 'SIGNED BY', maxWidth: 60 },
  { heading: 'INVITED BY', maxWidth: 40 },
  { heading: 'ALARM', maxWidth: 24 },
];
