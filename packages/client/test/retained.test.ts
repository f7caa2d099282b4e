import { expect, test } from 'vitest';
import { z } from 'zod';
import { defineOrganisation, DEFAULT_POLICY, org, sensitive } from '../src/index.ts';
import { requireRetention, shortenedBy } from '../src/retained.ts';

const schema = z.object({ text: z.string() });
const policy = { ...DEFAULT_POLICY, retentionSeconds: 7 * 86_400 };

test('no collection stays for longer than the organisation allows, and which would is told', () => {
  const fits = defineOrganisation({
    chat: sensitive.log(schema, { retentionDays: 7 }),
    requests: sensitive.record(schema),
    shifts: org(schema),
  });
  expect(shortenedBy(fits, policy)).toEqual([]);
  expect(() => requireRetention(fits, policy)).not.toThrow();
  const long = defineOrganisation({
    chat: sensitive.log(schema, { retentionDays: 7.01 }),
    notes: sensitive.log(schema, { retentionDays: 1 }),
    requests: sensitive.record(schema, { retentionDays: 30 }),
  });
  expect(shortenedBy(long, policy)).toEqual([
    { collection: 'chat', declaredDays: 7.01, days: 7 },
    { collection: 'requests', declaredDays: 30, days: 7 },
  ]);
  expect(() => requireRetention(long, policy)).toThrow(
    expect.objectContaining({ code: 'retention-too-long' }),
  );
});
