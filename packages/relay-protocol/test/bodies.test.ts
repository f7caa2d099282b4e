import { toBase64Url } from '@keytide/crypto-core';
import {
  challengeRequest,
  checkpointQuery,
  cosignatureRequest,
  errorResponse,
  isRefusalCode,
  logAppendRequest,
  logQuery,
  logResponse,
  loginBytes,
  lookupResponse,
  ProtocolError,
  sealingRecordRequest,
  sealingRecordsQuery,
  sealingRecordsResponse,
  sessionRequest,
} from '@keytide/relay-protocol';
import { orgId } from '@keytide/crypto-core';
import { expect, test } from 'vitest';

const id = 'ab'.repeat(32);
const b64 = (sizeBytes: number): string => toBase64Url(new Uint8Array(sizeBytes).fill(7));

test('bytes travel as unpadded base64url of the right size', () => {
  const good = { subject: { kind: 'device', id }, challenge: b64(32), signature: b64(64) };
  expect(sessionRequest.parse(good)).toEqual({
    subject: good.subject,
    challenge: new Uint8Array(32).fill(7),
    signature: new Uint8Array(64).fill(7),
  });
  for (const bad of [
    { ...good, challenge: b64(31) },
    { ...good, challenge: b64(33) },
    { ...good, challenge: `${b64(32)}=` },
    { ...good, challenge: b64(32).replace('B', '+') },
    { ...good, signature: undefined },
    { ...good, more: 1 },
    { ...good, subject: { kind: 'member', id } },
    { ...good, subject: { kind: 'device', id: id.toUpperCase() } },
    { ...good, subject: { kind: 'device', id: id.slice(2) } },
  ])
    expect(sessionRequest.safeParse(bad).success).toBe(false);
  expect(challengeRequest.safeParse({ subject: { kind: 'invite', id } }).success).toBe(true);
});

test('an entry has at most 64 KiB', () => {
  expect(logAppendRequest.safeParse({ entry: b64(65_536) }).success).toBe(true);
  expect(logAppendRequest.safeParse({ entry: b64(65_537) }).success).toBe(false);
  expect(logResponse.safeParse({ entries: Array.from({ length: 501 }, () => ''), size: 501 }).success).toBe(
    false,
  );
});

test('a place in the log is written in one way', () => {
  expect(logQuery.parse({ from: '500' })).toEqual({ from: 500 });
  expect(logQuery.parse({ from: '0', count: '1' })).toEqual({ from: 0, count: 1 });
  for (const from of ['', '-1', '01', '1.0', '1e3', ' 1', '99999999999'])
    expect(logQuery.safeParse({ from }).success).toBe(false);
  for (const count of ['', '0', '501', '01', undefined])
    expect(logQuery.safeParse({ from: '0', count }).success).toBe(false);
  expect(checkpointQuery.parse({})).toEqual({});
  expect(checkpointQuery.parse({ size: '7' })).toEqual({ size: 7 });
  for (const query of [{ size: '-1' }, { size: '07' }, { size: undefined }, { size: '1', more: '1' }])
    expect(checkpointQuery.safeParse(query).success).toBe(false);
});

test('a note travels as text, and comes out as its bytes', () => {
  const note = 'log\n1\n\n\u2014 log AA==\n';
  const bytes = new TextEncoder().encode(note);
  expect(cosignatureRequest.parse({ note })).toEqual({ note: bytes });
  const lookup = { checkpoint: note, lookup: b64(9) };
  expect(lookupResponse.parse(lookup).checkpoint).toEqual(bytes);
  const most = 'x'.repeat(16_384);
  expect(cosignatureRequest.safeParse({ note: most }).success).toBe(true);
  for (const bad of [`${most}x`, `${most.slice(1)}\u00fc`, '\ud800', 7])
    expect(cosignatureRequest.safeParse({ note: bad }).success).toBe(false);
  expect(lookupResponse.safeParse({ ...lookup, lookup: b64(32_769) }).success).toBe(false);
});

test('a sealing record has at most 2 KiB, and a page 512 of them', () => {
  expect(sealingRecordRequest.safeParse({ record: b64(2_048) }).success).toBe(true);
  expect(sealingRecordRequest.safeParse({ record: b64(2_049) }).success).toBe(false);
  const page = (records: number) => ({
    records: Array.from({ length: records }, () => ({ device: id, record: '' })),
    next: 1,
    more: false,
  });
  expect(sealingRecordsResponse.safeParse(page(512)).success).toBe(true);
  expect(sealingRecordsResponse.safeParse(page(513)).success).toBe(false);
  expect(sealingRecordsQuery.parse({ after: '7' })).toEqual({ after: 7 });
});

test('answers of a newer relay are still read', () => {
  const newer = { code: 'tired', message: 'zzz', size: 4, more: true };
  expect(errorResponse.parse(newer)).toMatchObject({ code: 'tired', size: 4 });
  expect(isRefusalCode('tired')).toBe(false);
  expect(isRefusalCode('epoch-taken')).toBe(true);
});

test('a login is for one subject id of 32 bytes', () => {
  const claim = { relayName: 'x', org: orgId(id), challenge: new Uint8Array(32) };
  for (const bad of ['', 'ab', id.toUpperCase(), `${id}ab`])
    expect(() => loginBytes({ ...claim, subject: { kind: 'device', id: bad } })).toThrow(ProtocolError);
});
