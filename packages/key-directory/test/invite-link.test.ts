import { encodeCbor, fromHex, orgId, Secret, toBase64Url, type CborValue } from '@keytide/crypto-core';
import { formatInviteLink, parseInviteLink } from '@keytide/key-directory';
import { describe, expect, test } from 'vitest';
import { codeFrom } from './forge.ts';

const org = orgId('11'.repeat(32));
const root = fromHex('22'.repeat(32)) as Uint8Array;
const seed = fromHex('33'.repeat(32)) as Uint8Array;
const parts = { org, checkpoint: { size: 2, root }, seed: Secret.own(seed.slice()) };
const relayUrl = 'https://relay.example.org';
const link = formatInviteLink({ relayUrl, ...parts });

const fields: readonly CborValue[] = [1, fromHex(org) as Uint8Array, 2, root, seed];
const linkOf = (value: CborValue, base = relayUrl): string =>
  `${base}/join#${toBase64Url(encodeCbor(value))}`;
const codeOf = (text: string): string | null => codeFrom(() => parseInviteLink(text));

describe('an invite link', () => {
  test('says where, what organisation, what log, and the one-time secret', () => {
    expect(link).toBe(linkOf(fields));
    const read = parseInviteLink(link);
    expect(read).toMatchObject({ relayUrl, org, checkpoint: { size: 2, root } });
    expect(read.seed.equals(parts.seed)).toBe(true);
  });

  test('shows its secret to the fragment only', () => {
    expect(link.split('#')[0]).toBe('https://relay.example.org/join');
    expect(JSON.stringify(parseInviteLink(link))).toContain('[secret]');
  });

  test.each(['http://127.0.0.1:8080', 'http://[::1]:8080', 'https://a', 'https://relay-1.example.org:443'])(
    'may lead to %s',
    (base) => {
      expect(parseInviteLink(formatInviteLink({ ...parts, relayUrl: base })).relayUrl).toBe(base);
    },
  );

  test.each([
    'https://relay.example.org/',
    'https://relay.example.org/path',
    'https://relay.example.org?x=1',
    'https://user@relay.example.org',
    'https://relay.example.org#x',
    'https://Relay.example.org',
    'https://rеlay.example.org', // a Cyrillic letter
    'ftp://relay.example.org',
    'javascript:alert(1)',
    'https://relay.example.org:0',
    'https://relay.example.org:123456',
    'https://-a.org',
    ' https://relay.example.org',
    'https://',
    '',
  ])('does not lead to "%s"', (base) => {
    expect(codeFrom(() => formatInviteLink({ ...parts, relayUrl: base }))).toBe('malformed');
    expect(codeOf(linkOf(fields, base))).toBe('malformed');
  });

  test.each([
    ['no fragment', link.split('#')[0] as string],
    ['an empty fragment', `${relayUrl}/join#`],
    ['two fragments', `${link}#x`],
    ['another path', link.replace('/join', '/joins')],
    ['no path', link.replace('/join', '')],
    ['a query', link.replace('#', '?x=1#')],
    ['padding', `${link}=`],
    ['a space at its end', `${link} `],
    ['a byte too many', `${link}AA`],
    ['other than base64url', `${link}+`],
  ])('with %s is refused', (_, text) => {
    expect(codeOf(text)).toBe('malformed');
  });

  test.each<[string, number, CborValue]>([
    ['organisation', 1, new Uint8Array(31)],
    ['size', 2, 0],
    ['root', 3, new Uint8Array(33)],
    ['seed', 4, new Uint8Array(16)],
    ['version', 0, 'one'],
  ])('with a wrong %s is refused', (_, at, value) => {
    expect(codeOf(linkOf(fields.with(at, value)))).toBe('malformed');
  });

  test('with a field too many or of a later version is refused', () => {
    expect(codeOf(linkOf([...fields, 0]))).toBe('malformed');
    expect(codeOf(linkOf(fields.with(0, 2)))).toBe('unsupported-version');
  });

  test('that is far too long is not decoded', () => {
    expect(codeOf(`${relayUrl}/join#${'A'.repeat(2000)}`)).toBe('too-large');
    expect(codeOf(linkOf([1, new Uint8Array(200)]))).toBe('malformed');
  });
});
