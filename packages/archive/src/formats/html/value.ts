import { toBase64Url, type CborValue } from '@keytide/crypto-core';
import type { NamedAttachment } from '../../export/source.ts';
import { attachmentName } from '../attachment-name.ts';
import type { OpenedAttachments } from '../derived-file.ts';
import { isMap, type Operation } from '../operation.ts';
import { markup, join, nameText, NONE, type Markup } from './markup.ts';
import { sizeOf } from './words.ts';

/** What of a message's attachments there is. */
export interface Linked {
  readonly named: readonly NamedAttachment[];
  readonly attachments: OpenedAttachments | null;
  /** Takes the file of an attachment that is linked to. */
  link(file: string, named: NamedAttachment): void;
}

/** The text as a paragraph, what else there is as a table. */
export function bodyMarkup(body: Operation['body'], linked: Linked): Markup {
  const { text, ...rest } = body;
  const hasText = typeof text === 'string';
  const fields = hasText ? rest : body;
  return join([
    hasText ? markup`<p class="text" dir="auto">${text}</p>` : NONE,
    Object.keys(fields).length === 0 ? NONE : fieldsMarkup(fields, linked),
  ]);
}

/** A value as people read it. */
export function valueMarkup(value: CborValue, linked: Linked): Markup {
  if (value === null) return markup`<span class="quiet">nothing</span>`;
  if (typeof value === 'boolean') return markup`${value ? 'yes' : 'no'}`;
  if (typeof value === 'number') return markup`${value}`;
  if (typeof value === 'string') return markup`<span class="text" dir="auto">${value}</span>`;
  if (value instanceof Uint8Array)
    return markup`<span class="quiet">${sizeOf(value.length)}:</span> <code>${toBase64Url(value)}</code>`;
  if (Array.isArray(value))
    return markup`<ul>
      ${join(value.map((item) => markup`<li>${valueMarkup(item, linked)}</li>`))}
    </ul>`;
  const map = value as { readonly [field: string]: CborValue };
  return attachmentMarkup(map, linked) ?? fieldsMarkup(map, linked);
}

/** The fields of a map, as a table. */
function fieldsMarkup(map: { readonly [field: string]: CborValue }, linked: Linked): Markup {
  const rows = Object.entries(map).map(
    ([field, value]) =>
      markup`<tr>
        <th scope="row">${nameText(field)}</th>
        <td>${valueMarkup(value, linked)}</td>
      </tr>`,
  );
  return markup`<table class="fields">
    <tbody>
      ${join(rows)}
    </tbody>
  </table>`;
}

/** A link to an attachment; `null` for a map that names none of the message's. */
function attachmentMarkup(map: { readonly [field: string]: CborValue }, linked: Linked): Markup | null {
  const named = isMap(map) ? linked.named.find(({ blob }) => blob === map['blob']) : undefined;
  if (named === undefined) return null;
  const called = typeof map['name'] === 'string' ? map['name'] : '';
  const label = markup`${nameText(called === '' ? 'attachment' : called)}, ${sizeOf(named.sizeBytes)}`;
  if (linked.attachments === null)
    return markup`<span class="attachment"
      >${label} <span class="quiet">(attachments were not exported)</span></span
    >`;
  const missing = linked.attachments.missing(named);
  if (missing !== null)
    return markup`<span class="attachment"
      >${label} <span class="notice">not in the archive (${missing})</span></span
    >`;
  const file = attachmentName(named.blob, called);
  linked.link(file, named);
  return markup`<a class="attachment" href="../${file}" rel="noreferrer">${label}</a>`;
}
