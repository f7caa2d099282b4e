import { expect, test } from 'vitest';
import { lacksAttachments, lacksKeys } from '../src/commands/export.ts';

const missing = (codes: Readonly<Record<string, number>>) =>
  lacksAttachments({ attachments: { present: 1, sizeBytes: 1, missing: codes } });
const unreadable = (codes: Readonly<Record<string, number>>) =>
  lacksKeys({ groups: [{ unreadable: codes }] } as unknown as Parameters<typeof lacksKeys>[0]);

test('the relay is not told while another device may have what this one lacks, and waits for nothing that nobody has', () => {
  expect([missing({}), missing({ 'attachment-gone': 3 })]).toEqual([false, false]);
  expect(missing({ 'attachment-gone': 1, tampered: 1 })).toBe(true);
  expect(missing({ 'expired-by-policy': 1 })).toBe(true);
  expect([unreadable({}), unreadable({ tampered: 2, replayed: 1 })]).toEqual([false, false]);
  for (const code of ['ask-an-admin', 'expired-by-policy', 'key-not-yet-arrived', 'sealing-key-expired'])
    expect(unreadable({ [code]: 1 }), code).toBe(true);
});
