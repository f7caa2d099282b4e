import { noAnswer, notUnderstood } from './refusal.ts';
import type { S3Service } from './service.ts';

/** Where a page says that the next one begins, what that is asked for with, and whether it is encoded as keys are. */
const NEXT = [
  ['NextContinuationToken', 'continuation-token', false],
  ['NextKeyMarker', 'key-marker', true],
  ['NextUploadIdMarker', 'upload-id-marker', false],
] as const;
/** Of a thousand names each: more than any archive can list. */
const MAX_PAGES = 2000;
const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/**
 * What a list of the bucket has between each `<element>` and its end, page after page.
 * @throws ArchiveError `destination-refused` for a list without an end
 */
export async function* elementsOf(
  service: S3Service,
  { element, query }: { readonly element: string; readonly query: Readonly<Record<string, string>> },
  once?: 'once',
): AsyncGenerator<string> {
  let next: Record<string, string> = {};
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const asked = { ...query, 'encoding-type': 'url', ...next };
    const { text } = await service.ask({ method: 'GET', query: asked }, once);
    for (const [, content = ''] of text.matchAll(new RegExp(`<${element}>([^]*?)</${element}>`, 'g')))
      yield content;
    if (tagIn(text, 'IsTruncated') !== 'true') return;
    next = {};
    for (const [tag, name, isKey] of NEXT)
      if (text.includes(`<${tag}>`)) next[name] = isKey ? keyIn(text, tag) : tagIn(text, tag);
    if (Object.keys(next).length === 0) throw noAnswer();
  }
  throw notUnderstood('the service lists more than any archive has');
}

/** The text of an element. @throws ArchiveError `destination-failed` where there is none */
export function tagIn(text: string, tag: string): string {
  const content = new RegExp(`<${tag}>([^<]*)</${tag}>`).exec(text)?.[1];
  if (content === undefined) throw noAnswer();
  return content.replace(/&(amp|lt|gt|quot|apos);/g, (_, name: string) => ENTITIES[name] as string);
}

/** The key that an element has, percent-encoded as it was asked for. */
export function keyIn(text: string, tag = 'Key'): string {
  const encoded = tagIn(text, tag);
  try {
    return decodeURIComponent(encoded.replaceAll('+', ' '));
  } catch {
    return encoded;
  }
}
