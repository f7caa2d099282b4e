import { defineOrganisation, sensitive, type Client } from '@keytide/client';
import { z } from 'zod';

const label = z.string().min(1);

/** What the devices of the fault tests write: chat lines and imported records, each with a label of its own. */
export const organisation = defineOrganisation({
  chat: sensitive.log(z.object({ label, filling: z.string() })),
  requests: sensitive.record(z.object({ label })),
});

export type Device = Client<typeof organisation>;

/** An Argon2id that costs nothing, so that a restart is quick. */
export const QUICK_KDF = { memoryKiB: 8, passes: 1, parallelism: 1 };

/** A block of one second: an epoch announcement is under way at many of the kills. */
export const SHORT_BLOCK_SECONDS = 1;
