import { decodeCbor, toBase64Url, type CborValue } from '@keytide/crypto-core';
import { operationIn, type Operation } from '../operation.ts';
import { countsIn, type MessageEntry, type OpenedEntry } from '../opened-entry.ts';
import { markup, join, nameText, NONE, type Markup } from './markup.ts';
import { pageFile, recordFile, type RecordChange, type RecordHistory } from './outline.ts';
import { bodyMarkup, valueMarkup, type Linked } from './value.ts';
import { DONE, invalidWords, timeOf, unreadableWords } from './words.ts';

/** One entry of the log as an article. */
export function itemMarkup(
  { entry, name }: OpenedEntry,
  historyOf: (operation: Operation) => RecordHistory | null,
  linked: Linked,
): Markup {
  if (entry.kind === 'statement') return NONE;
  if (entry.kind === 'unreadable')
    return article(
      entry.seq,
      markup`A message that could not be read`,
      markup`<p class="notice">It could not be read: ${unreadableWords(entry.code)} (${entry.code}).</p>`,
    );
  const operation = operationIn(entry.payload);
  const who = name === null ? markup`<code>${entry.member}</code>` : nameText(name);
  const invalid =
    entry.invalid === null
      ? NONE
      : markup`<p class="notice">
          ${countsIn(entry) ? '' : 'This counts for nothing: '}${invalidWords(entry.invalid)} (${entry.invalid}).
        </p>`;
  if (operation === null)
    return article(entry.seq, markup`${who} wrote`, markup`${invalid}${payloadMarkup(entry, linked)}`);
  const { ms, act, collection, item, body } = operation;
  const iso = new Date(ms).toISOString();
  const place = item === '' ? NONE : markup` <span class="quiet">${placeOf(act)} ${shortened(item)}</span>`;
  const heading = markup`${who} <span class="does">${DONE[act]}</span>
    <time datetime="${iso}">${timeOf(ms)} UTC</time>`;
  const where = markup`<p class="where">${nameText(collection)}${place}</p>`;
  const record = act === 'append' ? null : historyOf(operation);
  const history = record === null ? NONE : historyMarkup(entry.seq, record);
  return article(entry.seq, heading, markup`${where}${invalid}${bodyMarkup(body, linked)}${history}`);
}

function article(seq: number, heading: Markup, content: Markup): Markup {
  return markup`<article id="s${seq}" aria-labelledby="h${seq}">
    <h3 id="h${seq}">${heading}</h3>
    ${content}
    <p class="seq">entry ${seq} of the log</p>
  </article> `;
}

/** The record's other changes, so that what was edited or removed is seen as such wherever it is read. */
function historyMarkup(seq: number, { changes, edits, isRemoved, place }: RecordHistory): Markup {
  const stands =
    place === null ? NONE : markup`<p><a href="../${recordFile(place)}">The record as it stands</a></p>`;
  if (changes.length < 2) return stands;
  const state = isRemoved ? 'This record was removed.' : edits > 0 ? `Edited ${times(edits)}.` : '';
  const around = placeIn(changes, seq);
  const from = Math.max(0, around - SHOWN_CHANGES);
  const items = changes.slice(from, around + SHOWN_CHANGES + 1).map(({ page, seq: at, act, counts }) => {
    const word = counts ? DONE[act] : `${DONE[act]}, counts for nothing`;
    return at === seq
      ? markup`<li aria-current="true">${word} (this entry)</li>`
      : markup`<li><a href="${pageFile(page)}#s${at}">${word} (entry ${at})</a></li>`;
  });
  return markup`<div class="history">
    ${isRemoved ? markup`<strong>${state}</strong>` : state}
    History${changes.length > items.length ? `, ${items.length} of ${changes.length} changes` : ''}:
    <ol>
      ${join(items)}
    </ol>
    ${stands}
  </div>`;
}

/** Where a change is among those of its record, which stand in the order of the log and may be very many. */
function placeIn(changes: readonly RecordChange[], seq: number): number {
  let low = 0;
  let high = changes.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((changes[middle] as RecordChange).seq < seq) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Changes shown before and behind one: a record of very many would fill its pages with them. */
const SHOWN_CHANGES = 10;

function payloadMarkup({ payload }: MessageEntry, linked: Linked): Markup {
  let value: CborValue;
  try {
    value = decodeCbor(payload, payload.length);
  } catch {
    return markup`<p>Bytes of no form that is known here: <code>${toBase64Url(payload)}</code></p>`;
  }
  return markup`<div>${valueMarkup(value, linked)}</div>`;
}

function placeOf(act: Operation['act']): string {
  return act === 'append' ? 'in' : 'record';
}

function shortened(item: string): Markup {
  return /^[0-9a-f]{64}$/.test(item)
    ? markup`<code title="${item}">${item.slice(0, 8)}</code>`
    : nameText(item);
}

function times(count: number): string {
  return count === 1 ? 'once' : count === 2 ? 'twice' : `${count} times`;
}
