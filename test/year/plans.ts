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

/** A year of fifty devices. X is four weeks and Y twelve. */
export const A_YEAR: Plan = {
  seed,
  weeks: 52,
  devices: 50,
  people: 30,
  admins: 3,
  stepsAWeek: 4 / 3,
  wipedInWeeks: [26],
  messagesAStep: 3,
  policy: { ...block, retentionSeconds: 4 * WEEK, exportSeconds: 12 * WEEK, leaseSeconds: 5 * WEEK },
};
