import { comparedRow, contestRows, plainRow, type Row, type Work } from '../rows.ts';
import { CONTACTS } from './by-proofs.ts';
import type { Measured } from './device-main.ts';
import { VERIFIED } from './lookups.ts';

/** What was measured at one size. */
export interface SizedMeasured extends Measured {
  readonly devices: number;
  readonly entries: number;
  readonly dayEntries: number;
}

/** What others have published, not measured here. */
const RECORDED = { 'akd, recorded: 2,130 B': 2_130, 'Signal, recorded: 104 KB': 104_000 } as const;
const GOAL_LOOKUP_BYTES = 700;
const GOAL_TOTAL_BYTES = 1_900;

/** The figures of one size. */
export function sizeRows(measured: SizedMeasured): Row[] {
  const { devices, entries, dayEntries, days } = { days: measured.loginMs.length, ...measured };
  const row = (work: string, unit: string, samples: readonly number[], n = devices): Row =>
    plainRow(workOf(measured, work, unit, n), samples);
  const atMost = (made: Row, goal: number): Row =>
    comparedRow(made, `at most ${goal.toLocaleString('en')} ${made.unit}`, goal / made.value, 1);

  const { lookupBytes, inclusionBytes, noteBytes, cosignatureBytes } = measured;
  const lookup = row('a lookup', 'B', [lookupBytes]);
  const proofs = row('a lookup, inclusion of its entry, 3 cosignatures', 'B', [
    lookupBytes + inclusionBytes + cosignatureBytes,
  ]);
  const whole = row('the same with the whole checkpoint', 'B', [lookupBytes + inclusionBytes + noteBytes]);
  const perSecond = (count: number, ms: readonly number[]): number[] =>
    ms.map((each) => count / (each / 1000));
  return [
    atMost(lookup, GOAL_LOOKUP_BYTES),
    atMost(proofs, GOAL_TOTAL_BYTES),
    atMost(whole, GOAL_TOTAL_BYTES),
    ...Object.entries(RECORDED).map(([name, bytes]) => comparedRow(whole, name, bytes / whole.value, null)),
    row('inclusion in a tree: merkletreejs', 'B', [measured.peerBytes]),
    ...contestRows(workOf(measured, 'verify a lookup', 'µs', devices), measured.verifyMs, {
      ours: 'keytide',
      valueOf: (ms) => (ms * 1000) / VERIFIED,
    }),
    row('replay by a device', 'ms', measured.replayMs, entries),
    row('replay by a device', 'entries/s', perSecond(entries, measured.replayMs), entries),
    row('replay by a device: memory', 'MB more', [measured.replayPeakBytes / 1e6], entries),
    row('start of a device that has replayed before', 'ms', [measured.startMs], entries),
    row('first log-in after the device starts, nothing new', 'ms', [measured.firstLookMs]),
    row(`log-in after a day of ${dayEntries} entries, by replay`, 'B', measured.loginBytes, days),
    row(`log-in after a day of ${dayEntries} entries, by replay`, 'ms', measured.loginMs, days),
    row(`the same by proofs, with ${CONTACTS} contacts`, 'B', measured.proofBytes, days),
    row(`the same by proofs, with ${CONTACTS} contacts`, 'ms', measured.proofMs, days),
    row('append at the relay', 'entries/s', perSecond(dayEntries, measured.appendMs), dayEntries),
    row('first log-in after the relay starts', 'ms', [measured.firstLoginMs], entries),
    row('memory of the relay', 'MB more', [measured.relayBytes / 1e6]),
  ];
}

function workOf({ devices }: SizedMeasured, work: string, unit: string, n: number): Work {
  return { bench: 'directory', work: `${devices.toLocaleString('en')}: ${work}`, n, unit };
}
