import type { NamedAttachment } from '../../export/source.ts';
import type { DerivedFile, OpenedAttachments } from '../derived-file.ts';
import { operationIn } from '../operation.ts';
import type { OpenedEntries } from '../opened-entry.ts';
import type { MergeRecords } from '../record-merge.ts';
import { textPieces } from '../text-pieces.ts';
import { frame } from './frame.ts';
import { itemMarkup } from './item.ts';
import { markup, join, NONE, type Markup } from './markup.ts';
import { outlineOf, pageFile, pager, shownIn, type Outline, type PageOutline } from './outline.ts';
import { recordLinks, recordPages } from './record-page.ts';
import { dayOf, timeOf } from './words.ts';

/** How the pages are made. */
export interface HtmlOptions {
  /** What stands above all pages: the organisation, say. */
  readonly title: string;
  /** Without it, attachments are named and not there. */
  readonly attachments?: OpenedAttachments;
  /** Without it there are no pages of records as they stand. */
  readonly merge?: MergeRecords;
}

/**
 * Pages to be read in a browser, offline: `index.html`, `pages/`, and `records/` and `attachments/` beside them. The
 * entries are read twice. Docs/spec/derived-formats.md, "HTML".
 */
export async function* htmlPages(
  entries: OpenedEntries,
  { title, ...options }: HtmlOptions,
): AsyncGenerator<DerivedFile, void, undefined> {
  const attachments = options.attachments ?? null;
  const outline = await outlineOf(entries, options.merge ?? null);
  yield fileOf('index.html', indexMarkup(title, outline));
  const written = new Set<string>();
  let linked = new Map<string, NamedAttachment>();
  const link = (file: string, named: NamedAttachment): void => {
    if (!written.has(file)) linked.set(file, named);
    written.add(file);
  };
  const pageOf = pager();
  let items: Markup[] = [];
  let page = 1;
  let day = '';

  async function* withLinked(file: DerivedFile): AsyncGenerator<DerivedFile, void, undefined> {
    yield file;
    if (attachments !== null)
      for (const [name, named] of linked) yield { name, content: attachments.read(named) };
    linked = new Map();
  }

  async function* finished(): AsyncGenerator<DerivedFile, void, undefined> {
    if (items.length === 0) return;
    yield* withLinked(fileOf(`pages/${pageFile(page)}`, pageMarkup(title, { page, outline, items })));
    items = [];
    day = '';
  }

  for await (const opened of shownIn(entries)) {
    const next = pageOf(opened);
    if (next > page) yield* finished();
    page = next;
    const { entry, group } = opened;
    const ms = entry.kind === 'message' ? operationIn(entry.payload)?.ms : undefined;
    if (ms !== undefined && dayOf(ms) !== day) {
      day = dayOf(ms);
      items.push(markup`<h2>${day} (UTC)</h2> `);
    }
    const named = entry.kind === 'message' ? entry.attachments : [];
    items.push(
      itemMarkup(opened, (operation) => outline.historyOf(group, operation), { named, attachments, link }),
    );
  }
  yield* finished();
  for (const { name, content } of recordPages(title, outline, { attachments, link }))
    yield* withLinked(fileOf(name, content));
}

function pageMarkup(
  title: string,
  { page, outline, items }: { page: number; outline: Outline; items: readonly Markup[] },
): Markup {
  const { pages } = outline;
  const { first, last } = pages[page - 1] as PageOutline;
  const to = (number: number, word: string): Markup =>
    number < 1 || number > pages.length ? NONE : markup`<li><a href="${pageFile(number)}">${word}</a></li>`;
  return frame(`${title}, page ${page} of ${pages.length}`, {
    lead: markup`<p class="quiet">Entries ${first} to ${last} of the log</p>`,
    nav: markup`${to(page - 1, 'Earlier page')}
      <li><a href="../index.html">All pages</a></li>
      ${to(page + 1, 'Later page')}`,
    main: join(items),
  });
}

function indexMarkup(title: string, { pages, stateCount }: Outline): Markup {
  const sum = (of: (page: PageOutline) => number): number =>
    pages.reduce((total, page) => total + of(page), 0);
  const unreadable = sum((page) => page.unreadable);
  const groups = new Set(pages.map(({ group }) => group));
  const when = (ms: number | null): Markup =>
    ms === null
      ? markup`<span class="quiet">unknown</span>`
      : markup`${dayOf(ms)}, ${timeOf(ms).slice(0, 5)}`;
  const rows = pages.map(
    ({ group, first, last, fromMs, toMs, shown }, index) =>
      markup`<tr>
        <th scope="row"><a href="pages/${pageFile(index + 1)}">Page ${index + 1}</a></th>
        <td>${when(fromMs)}</td>
        <td>${when(toMs)}</td>
        <td>${shown}</td>
        <td>
          ${first} to
          ${last}${groups.size > 1 ? markup` of <code title="${group}">${group.slice(0, 8)}</code>` : NONE}
        </td>
      </tr> `,
  );
  const records =
    stateCount === 0
      ? NONE
      : markup`<h2>Records as they stand</h2>
      <ul>
        ${join(recordLinks(stateCount))}
      </ul> `;
  const lead = markup`<p class="quiet">
      ${sum((page) => page.shown)} messages and changes on ${pages.length}
      ${pages.length === 1 ? 'page' : 'pages'}.
    </p>
    ${unreadable === 0 ? NONE : markup`<p class="notice">${unreadable} of them could not be read; each says why.</p>`}`;
  return frame(title, {
    lead,
    main: markup`${records}<table>
      <caption>
        Pages, in the order of the log; times are UTC
      </caption>
      <thead>
        <tr>
          <th scope="col">Page</th>
          <th scope="col">Earliest</th>
          <th scope="col">Latest</th>
          <th scope="col">Entries</th>
          <th scope="col">Places in the log</th>
        </tr>
      </thead>
      <tbody>
        ${join(rows)}
      </tbody>
    </table>`,
  });
}

function fileOf(name: string, { safe }: Markup): DerivedFile {
  return { name, content: textPieces([safe]) };
}
