import type { Plan } from './cast.ts';

const WEEK = 7 * 86_400;
const seed = process.env['KEYTIDE_SEED'] ?? 'the year 2030';
const block = { blockSeconds: WEEK, silenceSeconds: WEEK };

/** Some weeks of a few people. X is one week and Y two. */
export const SOME_WEEKS: Plan = {
  seed,
  weeks: 5,
  devices: 11,
  people: 7,
  admins: 3,
  stepsAWeek: 3,
  wipedInWeeks: [3],
  messagesAStep: 4,
  policy: { ...block, retentionSeconds: WEEK, exportSeconds: 2 * WEEK, leaseSeconds: 5 * WEEK },
};
