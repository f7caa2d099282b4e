import { lackingIn } from '@keytide/client/export';
import { expect, test } from 'vitest';

type Codes = Readonly<Record<string, number>>;
const lacking = (missing: Codes, unreadable: Codes = {}) =>
  lackingIn({
    attachments: { present: 1, sizeBytes: 1, missing },
    groups: [{ unreadable }],
  } as unknown as Parameters<typeof lackingIn>[0]);

test('the relay is not told while another device may have what this one lacks, and waits for nothing that nobody has', () => {
  // Of these one member could make as many as they like.
  expect([lacking({}), lacking({ 'attachment-gone': 3, tampered: 1 })]).toEqual([null, null]);
  expect(lacking({ 'attachment-gone': 1, offline: 1 })).toBe('attachments-missing');
  expect(lacking({ 'expired-by-policy': 1 })).toBe('attachments-missing');
  expect(lacking({}, { tampered: 2, replayed: 1 })).toBeNull();
  for (const code of ['ask-an-admin', 'expired-by-policy', 'key-not-yet-arrived', 'sealing-key-expired'])
    expect(lacking({ tampered: 1 }, { [code]: 1 }), code).toBe('keys-missing');
});
