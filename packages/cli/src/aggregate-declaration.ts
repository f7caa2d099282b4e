import {
  ArchiveError,
  fullPlan,
  utcDays,
  type AggregatePlan,
  type Dimension,
} from '@keytide/archive/aggregates';
import { z } from 'zod';
import { CliError } from './errors.ts';
import { EXIT } from './exit-codes.ts';
import { CATEGORY_FIELDS } from './request-records.ts';

const whole = (min: number, max: number): z.ZodInt =>
  z
    .int({ error: `Give a whole number from ${min} to ${max}.` })
    .min(min)
    .max(max);
const text = z.string({ error: 'Give a text.' }).min(1, 'Give a text of at least one character.');
const day = z
  .string({ error: 'Give a date such as 2026-03-01.' })
  .regex(/^\d{4}-\d\d-\d\d$/, 'Give a date such as 2026-03-01.')
  .refine((date) => isDate(date), 'Give a date that there is.')
  .transform((date) => Date.parse(date));

const LATEST_ZONE_MS = 12 * 3_600_000;

const categories = z.strictObject({
  field: z.enum(CATEGORY_FIELDS),
  categories: z.array(text, { error: 'Give a list of all that there can be.' }).min(1),
  other: text.exactOptional(),
});
const hours = z.strictObject({
  field: z.literal('hour'),
  cuts: z.array(whole(1, 23), { error: 'Give the hours at which bins begin, such as [6, 12, 18].' }),
  labels: z.array(text).exactOptional(),
});
const days = z.strictObject({ field: z.literal('reportedAt') });
const dimension = z.discriminatedUnion('field', [categories, hours, days], {
  error: `Give a field: one of ${[...CATEGORY_FIELDS, 'hour', 'reportedAt'].join(', ')}.`,
});

/** A declaration, as people write it. */
const schema = z.strictObject(
  {
    period: z.strictObject({ from: day, to: day }, { error: 'Give its days: {"from": …, "to": …}.' }),
    views: z
      .array(
        z.strictObject(
          { name: text, dimensions: z.array(dimension, { error: 'Give a list of dimensions.' }).min(1) },
          { error: 'Give a view: {"name": …, "dimensions": […]}.' },
        ),
        { error: 'Give a list of views.' },
      )
      .min(1, 'Give at least one view.'),
    k: whole(3, 1e6).exactOptional(),
    acceptSmallerK: z.boolean({ error: 'Give true or false.' }).exactOptional(),
    roundTo: whole(1, 1e6).exactOptional(),
    epsilonMilli: whole(1, 1e6).exactOptional(),
    contributor: z
      .strictObject(
        { field: z.literal('owner', 'It is owner: who created the request.'), atMost: whole(1, 1e6) },
        { error: 'Give {"field": "owner", "atMost": …}.' },
      )
      .exactOptional(),
  },
  { error: 'Give an object: {"period": …, "views": […]}.' },
);

/**
 * Reads a declaration of what is published of the requests.
 * @throws CliError `bad-declaration`, which names the key and says what it takes; ArchiveError `bad-plan`
 */
export function parseDeclaration(json: string): AggregatePlan {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw badDeclaration('is no JSON', 'See docs/guides/aggregates.md for one that works.');
  }
  const parsed = schema.safeParse(value);
  const [issue] = parsed.error?.issues ?? [];
  if (!parsed.success || issue !== undefined) throw problemOf(issue as z.core.$ZodIssue);
  const { period, views, ...rest } = parsed.data;
  const dated = { field: 'reportedAt', from: period.from, to: period.to };
  const named = views.flatMap((view) => view.dimensions.map(({ field }) => field));
  if (named.includes('kind') && named.includes('title'))
    throw badDeclaration('names kind and title', 'They say the same: keep one of them.');
  const inBins = (one: z.infer<typeof dimension>): Dimension =>
    one.field === 'reportedAt' ? utcDays('reportedAt', dated) : one;
  return fullPlan({
    ...{ dataset: 'requests', period: dated, ...rest },
    views: views.map(({ name, dimensions }) => ({ name, dimensions: dimensions.map(inBins) })),
  });
}

/**
 * A declared period is of the clock on the wall, and is over in every time zone half a day after it is in Greenwich.
 * @throws ArchiveError `period-open`
 */
export function assertOver({ period }: AggregatePlan, nowMs: number): void {
  if (nowMs < period.to + LATEST_ZONE_MS)
    throw new ArchiveError('period-open', 'the period is not over in every time zone');
}

function isDate(date: string): boolean {
  const ms = Date.parse(date);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(date);
}

function problemOf(issue: z.core.$ZodIssue): CliError {
  const key = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys')
    return badDeclaration(
      `${key === '' ? '' : `in ${key} `}has ${issue.keys.join(', ')}`,
      'Take it out: it is no key of a declaration.',
    );
  return badDeclaration(`is wrong at ${key === '' ? 'its beginning' : key}`, issue.message);
}

function badDeclaration(problem: string, next: string): CliError {
  return new CliError('bad-declaration', EXIT.usage, `the declaration ${problem}`, next);
}
