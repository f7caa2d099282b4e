import { expect, test } from 'vitest';
import { z } from 'zod';
import { defineOrganisation, DEFAULT_POLICY, org, sensitive } from '../src/index.ts';
import { requireRetention } from '../src/retained.ts';

const schema = z.object({ text: z.string() });
const policy = { ...DEFAULT_POLICY, retentionSeconds: 7 * 86_400 };

test('no collection is declared to stay for longer than the organisation allows', () => {
  const fits = defineOrganisation({
    chat: sensitive.log(schema, { retentionDays: 7 }),
    requests: sensitive.record(schema),
    shifts: org(schema),
  });
  expect(() => requireRetention(fits, policy)).not.toThrow();
  for (const long of [
    defineOrganisation({ chat: sensitive.log(schema, { retentionDays: 7.01 }) }),
    defineOrganisation({ requests: sensitive.record(schema, { retentionDays: 30 }) }),
  ])
    expect(() => requireRetention(long, policy)).toThrow(
      expect.objectContaining({ code: 'retention-too-long' }),
    );
});
