import { defineOrganisation, org, sensitive } from '@keytide/client';
import { z } from 'zod';

/** What the devices in browsers run, and those in Node that they talk to. */
export const deviceDefinition = defineOrganisation({
  chat: sensitive.log(z.object({ text: z.string().min(1) })),
  places: sensitive.live(z.object({ at: z.string() }), { minIntervalMs: 1_000, maxAgeMs: 60_000 }),
  requests: sensitive.record(z.object({ title: z.string().min(1) })),
  shifts: org(z.object({ place: z.string() })),
});
