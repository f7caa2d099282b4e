import { toHex } from '@keytide/crypto-core';
import { frame } from '../formats/html/frame.ts';
import { join, markup, nameText, NONE, type Markup } from '../formats/html/markup.ts';
import { rowBar, spanOf } from './bar.ts';
import type { LedgerArchive, LedgerFinding, LedgerRow, RetentionLedger } from './ledger.ts';
import { FINDING_WORDS, STATE_WORDS } from './words.ts';

/**
 * A ledger as one HTML page: it runs nothing, loads nothing, and can be printed. In the clear: it has names and times,
 * and no content.
 */
export function ledgerPage(ledger: RetentionLedger, { title }: { readonly title: string }): string {
  const { org, madeMs, exportSeconds, isWaived, isRelayAsked, rows, findings, archives } = ledger;
  const { count = 0, sizeBytes = 0 } = ledger.attachmentsHeld ?? {};
  const held =
    count === 0
      ? NONE
      : markup` It keeps ${count} attachments (${sizeBytes} bytes) beyond their Y until what may name them is exported, by its word.`;
  const due = rows.filter(({ todo }) => todo !== null);
  const asked = isRelayAsked
    ? 'The relay was asked.'
    : 'The relay was not asked: what it did since is not here.';
  return frame(title, {
    lead: markup`<p class="quiet">Organisation <code>${org}</code>, as of ${timeText(madeMs)}. Y is ${days(exportSeconds)}; what nobody has exported ${isWaived ? 'is deleted then all the same' : 'is kept until somebody has'}. ${asked}${held}</p>`,
    main: join([
      section('To be done', due.length === 0 ? [markup`<p>Nothing now.</p>`] : due.map(todoItem)),
      section('Findings', findings.length === 0 ? [markup`<p>None.</p>`] : findings.map(findingItem)),
      section('The log', [
        markup`<p class="quiet">▮ written, ─┤ due, ▲ in an archive, ○ somebody signed that it is exported, ✕ the relay signed that it is deleted, ┆ now.</p>\n`,
        logTable(ledger),
      ]),
      section(
        'Archives',
        archives.length === 0 ? [markup`<p>None was given.</p>`] : archives.map(archiveItem),
      ),
    ]),
    footer: markup`All times are UTC, by the clocks of those who signed them. What the relay says without a signature is marked as its word. This page holds no content of messages.`,
  }).safe;
}

function section(heading: string, content: readonly Markup[]): Markup {
  return markup`<section><h2>${heading}</h2>\n${join(content)}</section>\n`;
}

function todoItem({ firstSeq, lastSeq, dueMs, todo }: LedgerRow): Markup {
  const what = todo === 'export' ? 'Export' : 'Tell the relay that they are exported:';
  return markup`<p class="notice">${what} entries ${firstSeq} to ${lastSeq}, due ${timeText(dueMs)}.</p>\n`;
}

function findingItem({ code, weight, basis, of, detail, firstSeq, lastSeq }: LedgerFinding): Markup {
  const where = firstSeq === null ? NONE : markup` Entries ${firstSeq} to ${lastSeq ?? firstSeq}.`;
  const who = of === 'relay' ? NONE : markup` Device <code>${of}</code>.`;
  const why = detail === null ? NONE : markup` (<code>${detail}</code>)`;
  const rests = basis === 'signed' ? 'by what was signed' : "by the relay's word";
  return markup`<article><h3>${weight === 'alarm' ? 'Alarm' : 'Note'}: ${FINDING_WORDS[code]}${why}</h3><p>${where}${who} <span class="quiet"><code>${code}</code>, ${rests}</span></p></article>\n`;
}

function logTable(ledger: RetentionLedger): Markup {
  const span = spanOf(ledger);
  const rows = ledger.rows.map((row) => {
    const { firstSeq, lastSeq, writtenFromMs, writtenToMs, dueMs, state } = row;
    const became = becameOf(ledger, row);
    const said = [`written ${timeText(writtenFromMs)}`, `due ${timeText(dueMs)}`, STATE_WORDS[state]].join(
      '; ',
    );
    return markup`<tr><td>${firstSeq} to ${lastSeq}<br><span class="quiet">${timeText(writtenFromMs)} to ${timeText(writtenToMs)}</span></td><td>${rowBar(ledger, row, span, said)}<br><span class="quiet">due ${timeText(dueMs)}</span></td><td>${STATE_WORDS[state]}${join(became)}</td></tr>\n`;
  });
  return markup`<table><caption>Oldest first</caption><thead><tr><th>Entries</th><th>Times</th><th>What became of them</th></tr></thead><tbody>\n${join(rows)}</tbody></table>\n`;
}

function becameOf({ archives }: RetentionLedger, row: LedgerRow): readonly Markup[] {
  const { acknowledged, waivedBy, deletion, findings } = row;
  return [
    ...row.archives.map((place) => {
      const { id, createdMs, by } = archives[place] as LedgerArchive;
      return markup`<br>archive <code>${toHex(id).slice(0, 8)}</code> by ${nameText(by?.handle ?? '?')}, ${timeText(createdMs)}`;
    }),
    ...acknowledged.map(
      ({ by, exportedMs }) => markup`<br>exported, says ${nameText(by.handle)}, ${timeText(exportedMs)}`,
    ),
    ...(waivedBy === null ? [] : [markup`<br>waived by entry ${waivedBy} of the membership log`]),
    ...(deletion === null
      ? []
      : [
          markup`<br>receipt <code>${toHex(deletion.hash).slice(0, 8)}</code>, ${timeText(deletion.deletedMs)}`,
        ]),
    ...findings.map((code) => markup`<br><span class="notice">${code}</span>`),
  ];
}

function archiveItem({
  id,
  createdMs,
  by,
  firstSeq,
  throughSeq,
  isWhole,
  isFiltered,
  counts,
}: LedgerArchive): Markup {
  const checked = isWhole ? 'every byte verified' : 'its structure verified';
  const kind = counts ? checked : isFiltered ? 'with a filter: does not count' : 'does not count';
  return markup`<article><h3><code>${toHex(id)}</code></h3><p>Entries ${firstSeq} to ${throughSeq}, by ${nameText(by?.handle ?? '?')}, ${timeText(createdMs)}; ${kind}.</p></article>\n`;
}

/** `2026-03-02 14:05`; a question mark for what nobody knows, or no calendar can hold. */
function timeText(ms: number | null): string {
  const date = new Date(ms ?? Number.NaN);
  return Number.isNaN(date.getTime()) ? '?' : date.toISOString().slice(0, 16).replace('T', ' ');
}

function days(seconds: number): string {
  return seconds % 86_400 === 0 ? `${seconds / 86_400} days` : `${seconds} seconds`;
}
