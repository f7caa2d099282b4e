import { mailFiles, type OpenedAttachments, type OpenedEntry } from '@keytide/archive/formats';
import type { CborValue } from '@keytide/crypto-core';
import * as fc from 'fast-check';
import PostalMime, { type Email } from 'postal-mime';
import { describe, expect, test } from 'vitest';
import { anyText, bytesOf, change, chat, logOf } from './entries.ts';

const MS = Date.UTC(2026, 1, 3, 4, 5, 6);
const photo = { blob: 'b'.repeat(64), descriptor: Uint8Array.of(1), sizeBytes: 70_000 };
const gone = { blob: 'c'.repeat(64), descriptor: Uint8Array.of(1), sizeBytes: 1 };
const content = Uint8Array.from({ length: photo.sizeBytes }, (_, index) => (index * 7) & 255);
const attachments: OpenedAttachments = {
  missing: ({ blob }) => (blob === gone.blob ? 'attachment-gone' : null),
  async *read() {
    for (let at = 0; at < content.length; at += 1_000) yield content.subarray(at, at + 1_000);
  },
};

async function mailsOf(
  entries: readonly OpenedEntry[],
): Promise<{ name: string; source: Buffer; mail: Email }[]> {
  const mails = [];
  for await (const { name, content: pieces } of mailFiles(() => entries, {
    collection: 'chat',
    attachments,
  })) {
    const source = await bytesOf(pieces);
    mails.push({ name, source, mail: await PostalMime.parse(source) });
  }
  return mails;
}

function file(called: CborValue, mediaType: CborValue): CborValue {
  return [
    { deep: { blob: photo.blob, descriptor: 'AQ', sizeBytes: photo.sizeBytes, name: called, mediaType } },
  ];
}

/** What parsers make one of: line ends, and space at the ends. */
const flat = (text: string): string => text.replace(/\r\n|\r|\n/g, '\n');

describe('messages as mails', () => {
  test('say who, when, where and what, and bring their attachments', async () => {
    const [first, ...more] = await mailsOf(
      logOf(
        {
          content: chat(
            MS,
            { text: 'Zoë\n.\nFrom here', hop: 2, photos: file('brücke "am" mittag.jpg', 'image/jpeg') },
            'north',
          ),
          by: 'Jørgen Ægir',
          attachments: [photo, gone],
        },
        { content: change(1, 1, {}) },
        { content: chat(1, { text: 4 }), invalid: 'schema' },
        { content: chat(MS, { text: 'of another app' }), invalid: 'unknown-collection' },
      ),
    );
    // Nobody has judged it.
    expect(more.map(({ mail }) => flat(mail.text ?? ''))).toEqual([
      expect.stringContaining('of another app'),
    ]);
    expect(first?.name).toBe(`${'91'.repeat(32)}/000000000001.eml`);
    const { mail } = first as NonNullable<typeof first>;
    expect([mail.from?.name, mail.from?.address, mail.subject]).toEqual([
      'Jørgen Ægir',
      `${'03'.repeat(16)}@members.invalid`,
      'chat, north',
    ]);
    expect([mail.date, mail.messageId]).toEqual([
      '2026-02-03T04:05:06.000Z',
      `<1.${'91'.repeat(32)}@groups.invalid>`,
    ]);
    expect(flat(mail.text ?? '')).toContain('Zoë\n.\nFrom here\n\nhop: 2\n');
    const [attached, ...others] = mail.attachments;
    expect([others, attached?.filename, attached?.mimeType]).toEqual([
      [],
      'brücke "am" mittag.jpg',
      'image/jpeg',
    ]);
    expect(Buffer.from(attached?.content as ArrayBuffer).equals(content)).toBe(true);
  });

  test('nothing that anybody says becomes a header or a part, and all of it is read back', async () => {
    const hostile = fc.constantFrom(
      'a\r\nBcc: all@evil.example',
      '\r\n\r\n<script>',
      '\n--=_keytide--\n',
      '=?UTF-8?B?QUJD?=',
      '"@evil.example> <a@b.c',
      'text/html\r\nX-Evil: 1',
      'message/rfc822',
      'é'.repeat(200),
    );
    const any = fc.oneof(hostile, anyText);
    await fc.assert(
      fc.asyncProperty(any, any, any, any, async (text, name, room, called) => {
        const said = {
          content: chat(MS, { text, photos: file(called, called) }, room),
          by: name,
          attachments: [photo],
        };
        const [made] = await mailsOf(logOf(said));
        const { mail, source } = made as NonNullable<typeof made>;
        const lines = source.toString().split('\r\n');
        expect(lines.filter((line) => line.length > 110 || !/^[\x20-\x7e]*$/.test(line))).toEqual([]);
        expect(lines.filter((line) => line.includes('=?') && line.length > 76)).toEqual([]);
        expect(mail.headers.map(({ key }) => key)).toEqual([
          'date',
          'from',
          'to',
          'subject',
          'message-id',
          'keytide-device',
          'mime-version',
          'content-type',
        ]);
        expect([mail.attachments.length, mail.html, mail.bcc]).toEqual([1, undefined, undefined]);
        expect(flat(mail.text ?? '').startsWith(flat(text))).toBe(true);
        expect(mail.attachments[0]?.mimeType).toBe('application/octet-stream');
        expect(Buffer.from(mail.attachments[0]?.content as ArrayBuffer).equals(content)).toBe(true);
        expect(mail.from?.address).toBe(`${'03'.repeat(16)}@members.invalid`);
      }),
      { seed: 20_261_122, numRuns: 60 },
    );
  });
});
