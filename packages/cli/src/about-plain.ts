import type { ArchiveReport } from '@keytide/archive';
import { toHex } from '@keytide/crypto-core';
import { isoTime } from './timestamps.ts';

/** What lies beside an opened archive, for whoever finds it: from what it is, and that it is in the clear. */
export function aboutText({ archive, verdict, levels, findings }: ArchiveReport): string {
  const made = archive === null ? [] : madeLines(archive);
  const faults = findings.filter(({ weight }) => weight === 'fault').map(({ code }) => code);
  return [
    'THIS IS PLAINTEXT. It was opened from an encrypted archive of Keytide: whoever gets at it reads it.',
    'Delete this folder when it has served; the archive stays what it was.',
    '',
    ...made,
    `Verified       ${verdict}; looked at: ${levels.join(', ')}`,
    ...(faults.length === 0 ? [] : [`Found          ${[...new Set(faults)].join(', ')}`]),
    '',
    'Begin with index.html, where it is there. entries.jsonl has everything, one entry a line.',
    '',
  ].join('\n');
}

function madeLines({ id, org, createdMs, exporter }: NonNullable<ArchiveReport['archive']>): string[] {
  return [
    `Archive        ${toHex(id)}`,
    `Organisation   ${org}`,
    `Made           ${isoTime(createdMs) ?? '?'} by device ${exporter}`,
  ];
}
