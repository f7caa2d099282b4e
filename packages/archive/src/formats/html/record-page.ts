import { attachmentsIn } from '../../container/named-attachments.ts';
import type { ChangePlace, RecordState } from '../record-states.ts';
import { frame } from './frame.ts';
import { markup, join, nameText, NONE, type Markup } from './markup.ts';
import { PAGE_RECORDS, pageFile, recordFile, type Outline, type RecordChange } from './outline.ts';
import { bodyMarkup, type Linked } from './value.ts';
import { DONE, dayOf, timeOf } from './words.ts';

/** Of a record that was changed more often, the newest changes are listed: a page is to open at once. */
const LISTED_CHANGES = 200;

/** The pages of records as they stand: what each says, and below it who changed it when. */
export function* recordPages(
  title: string,
  outline: Outline,
  linked: Omit<Linked, 'named'>,
): Generator<{ readonly name: string; readonly content: Markup }, void, undefined> {
  let items: Markup[] = [];
  let place = 0;
  for (const state of outline.states()) {
    items.push(recordMarkup(place, state, { outline, linked }));
    place += 1;
    if (items.length < PAGE_RECORDS && place < outline.stateCount) continue;
    const page = Math.ceil(place / PAGE_RECORDS);
    yield { name: `records/${pageFile(page)}`, content: pageMarkup(title, page, { outline, items }) };
    items = [];
  }
}

/** A link to each of these pages, from `index.html`. */
export function recordLinks(stateCount: number): Markup[] {
  return Array.from({ length: Math.ceil(stateCount / PAGE_RECORDS) }, (_, index) => {
    const first = index * PAGE_RECORDS + 1;
    const last = Math.min(stateCount, first + PAGE_RECORDS - 1);
    return markup`<li><a href="records/${pageFile(index + 1)}">Records ${first} to ${last}</a></li>`;
  });
}

function pageMarkup(
  title: string,
  page: number,
  { outline, items }: { readonly outline: Outline; readonly items: readonly Markup[] },
): Markup {
  const pages = Math.ceil(outline.stateCount / PAGE_RECORDS);
  const to = (number: number, word: string): Markup =>
    number < 1 || number > pages ? NONE : markup`<li><a href="${pageFile(number)}">${word}</a></li>`;
  return frame(`${title}, records, page ${page} of ${pages}`, {
    lead: markup`<p class="quiet">Records as they stand after the last entry of the log</p>`,
    nav: markup`${to(page - 1, 'Page before')}
      <li><a href="../index.html">All pages</a></li>
      ${to(page + 1, 'Next page')}`,
    main: join(items),
  });
}

function recordMarkup(
  place: number,
  state: RecordState,
  { outline, linked }: { readonly outline: Outline; readonly linked: Omit<Linked, 'named'> },
): Markup {
  const { group, collection, id, first, last, body } = state;
  const anchor = recordFile(place).split('#')[1] as string;
  const { changes } = outline.historyOf(group, { collection, item: id }) ?? { changes: [] };
  return markup`<article id="${anchor}" aria-labelledby="h${anchor}">
    <h3 id="h${anchor}">${nameText(collection)} <code title="${id}">${id.slice(0, 8)}</code></h3>
    ${standsMarkup(state)}
    ${bodyMarkup(body, { ...linked, named: attachmentsIn(body) })}
    <p class="where">
      First written by ${placeMarkup(first)}, last changed by ${placeMarkup(last)}.
    </p>
    ${changesMarkup(changes)}
  </article> `;
}

function standsMarkup({ state }: RecordState): Markup {
  if (state === 'shown') return NONE;
  return state === 'removed'
    ? markup`<p class="notice">This record was removed. What it said is where it was written.</p>`
    : markup`<p class="notice">Its beginning is not here, so it is not shown.</p>`;
}

function changesMarkup(changes: readonly RecordChange[]): Markup {
  const listed = changes.slice(-LISTED_CHANGES);
  const items = listed.map(({ page, seq, act, counts, ms, name }) => {
    const word = counts ? DONE[act] : `${DONE[act]}, counts for nothing`;
    return markup`<li>
      ${nameText(name)} ${word} (<a href="../pages/${pageFile(page)}#s${seq}">entry ${seq}</a>),
      ${dayOf(ms)}, ${timeOf(ms)}
    </li>`;
  });
  return markup`<div class="history">
    History${changes.length > listed.length ? `, the last ${listed.length} of ${changes.length} changes` : ''}:
    <ol>
      ${join(items)}
    </ol>
  </div>`;
}

function placeMarkup({ name, member, ms }: ChangePlace): Markup {
  return markup`${nameText(name ?? member)}, ${dayOf(ms)}, ${timeOf(ms)}`;
}
