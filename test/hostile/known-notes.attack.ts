import { concatBytes, encodeUtf8, toBase64Url } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { logSignature, parseCheckpointText, parseNote } from '@keytide/key-directory';
import { forgeCheckpoint } from '@keytide/testkit/hostile-relay';
import { describe, expect, test } from 'vitest';
import { failureCodes, goesOn, type Stage } from './stage.ts';

/** Another spelling of a true note. `sign` is the relay's own signature over any text: the relay plays the trick. */
type Trick = (note: string, sign: (text: string) => string) => string;

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/**
 * One checkpoint in more than one spelling. Chatzigiannis, Chalkias, "Base64 Malleability in Practice" (AsiaCCS 2022);
 * C2SP signed-note, which forbids control characters and spaces in names; RFC 8949, 4.2, for why one form only.
 */
export function knownEncodingTricks(stage: () => Stage): void {
  const signatureLine: [string, Trick][] = [
    [
      'other padding bits in the signature',
      (note) => note.replace(/(.)=\n$/, (_, last) => `${other(last)}=\n`),
    ],
    ['no padding in the signature', (note) => note.replace(/=\n$/, '\n')],
    ['more padding in the signature', (note) => note.replace(/=\n$/, '==\n')],
    ['a space in the signature', (note) => note.replace(/(.{8})=\n$/, ' $1=\n')],
    ['a line break in the signature', (note) => note.replace(/(.{8})=\n$/, '\n$1=\n')],
    ['CR before each newline', (note) => note.replaceAll('\n', '\r\n')],
    ['CR at the end', (note) => `${note}\r`],
    ['an extra newline at the end', (note) => `${note}\n`],
    ['an extra newline before the signatures', (note) => note.replace('\n\n', '\n\n\n')],
    ['no newline at the end', (note) => note.slice(0, -1)],
    ['a byte order mark', (note) => `\ufeff${note}`],
    ['two hyphens for the dash', (note) => note.replace('— ', '-- ')],
    ['a no-break space after the dash', (note) => note.replace('— ', '—\u00a0')],
    ['the name in capitals', (note) => note.replace('— keytide', '— KEYTIDE')],
    ['the name in full width', (note) => note.replace('— k', '— \uff4b')],
    ['a zero-width space in the name', (note) => note.replace('— key', '— key\u200b')],
    ['an ideographic space in the name', (note) => note.replace('— key', '— key\u3000')],
    ['an escaped slash in the name', (note) => note.replace(/— (.*?)\//, '— $1%2f')],
  ];
  const text: [string, Trick][] = [
    ['a leading zero in the size', (note, sign) => sign(lineOf(note, 1, (size) => `0${size}`))],
    ['a plus in the size', (note, sign) => sign(lineOf(note, 1, (size) => `+${size}`))],
    ['an exponent in the size', (note, sign) => sign(lineOf(note, 1, (size) => `${size}e0`))],
    ['a space after the size', (note, sign) => sign(lineOf(note, 1, (size) => `${size} `))],
    ['digits of another script in the size', (note, sign) => sign(lineOf(note, 1, () => '\u0662'))],
    ['other padding bits in the root', (note, sign) => sign(lineOf(note, 2, (root) => repadded(root)))],
    ['no padding in the root', (note, sign) => sign(lineOf(note, 2, (root) => root.slice(0, -1)))],
    ['other padding bits in the map', (note, sign) => sign(lineOf(note, 3, (map) => repadded(map)))],
    ['two spaces before the map', (note, sign) => sign(lineOf(note, 3, (map) => map.replace(' ', '  ')))],
    [
      'the map in capitals',
      (note, sign) => sign(lineOf(note, 3, (map) => map.replace('keytide', 'KEYTIDE'))),
    ],
    ['the map twice', (note, sign) => sign(lineOf(note, 3, (map) => `${map}\n${map}`))],
    ['the origin in capitals', (note, sign) => sign(lineOf(note, 0, (origin) => origin.toUpperCase()))],
    ['a space after the origin', (note, sign) => sign(lineOf(note, 0, (origin) => `${origin} `))],
    ['an empty line in the text', (note, sign) => sign(lineOf(note, 1, (size) => `\n${size}`))],
    ['a CR in the text', (note, sign) => sign(lineOf(note, 1, (size) => `${size}\r`))],
  ];

  describe('canonical-encoding tricks in signed notes', () => {
    test.each([...signatureLine, ...text])('%s', async (_, trick) => {
      const ada = await stage().found();
      const { signer } = stage().relayKey;
      const sign = (changed: string): string => {
        const bytes = encodeUtf8(changed) as Uint8Array;
        const { name, keyId } = logSignature(primitives, signer, parseCheckpointText(parseNote(shown).text));
        const id = new Uint8Array(4);
        new DataView(id.buffer).setUint32(0, keyId);
        return `${changed}\n— ${name} ${Buffer.from(concatBytes(id, signer.sign(bytes))).toString('base64')}\n`;
      };
      let shown = new Uint8Array(0);
      let isOther = false;
      const relent = forgeCheckpoint(stage().hostile, ada.client.device, (note) => {
        shown = note.slice();
        const changed = encodeUtf8(trick(new TextDecoder().decode(note), sign)) as Uint8Array;
        isOther = toBase64Url(changed) !== toBase64Url(note);
        return changed;
      });
      await expect(ada.client.invite()).rejects.toMatchObject({ code: 'relay-misbehaved' });
      expect(isOther).toBe(true);
      expect(ada.client.directorySize).toBe(1);
      relent();
      await goesOn(ada, await stage().admit(ada, 'bo'));
      expect(failureCodes(ada)).toEqual([]);
    });
  });
}

/** The text of a note with one of its lines changed. */
function lineOf(note: string, index: number, change: (line: string) => string): string {
  const lines = parseNote(encodeUtf8(note) as Uint8Array).text.split('\n');
  return lines.map((line, i) => (i === index ? change(line) : line)).join('\n');
}

/** Base64 that decodes to the same bytes where left-over bits are not looked at. */
function repadded(line: string): string {
  return line.replace(/(.)=$/, (_, last: string) => `${other(last)}=`);
}

function other(last: string): string {
  return BASE64[BASE64.indexOf(last) + 1] as string;
}
