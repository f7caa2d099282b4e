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

const WEEKS = Number(process.env['KEYTIDE_YEAR_WEEKS'] ?? 52);
const IS_WHOLE = WEEKS >= 52;

/**
 * A year, or less of it and with fewer people. X is four weeks and Y twelve. Nine days less a quarter pass at a time, so
 * that every part of a block has its turn.
 */
export const A_YEAR: Plan & { readonly isWhole: boolean } = {
  ...SOME_WEEKS,
  isWhole: IS_WHOLE,
  weeks: WEEKS,
  devices: IS_WHOLE ? 50 : 30,
  people: IS_WHOLE ? 30 : 18,
  stepsAWeek: 0.8,
  wipedInWeeks: [WEEKS / 2],
  policy: {
    ...SOME_WEEKS.policy,
    retentionSeconds: 4 * WEEK,
    exportSeconds: 12 * WEEK,
    leaseSeconds: 5 * WEEK,
  },
};
