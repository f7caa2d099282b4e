import { z } from 'zod';
import { parseDuration } from '../duration.ts';
import { CliError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { readFileBytes } from '../file-bytes.ts';
import { placeNamed } from './roots.ts';

/** The configuration of an agent, complete. What each key is for: docs/guides/agent.md. */
export interface AgentConfig {
  readonly destinations: readonly [string, ...string[]];
  readonly needed?: number | undefined;
  readonly every: number;
  readonly at: number;
  readonly fullAfter: number;
  readonly recipients: readonly string[];
  readonly set?: string | undefined;
  readonly acknowledge: 'readable' | 'all' | 'never';
  readonly passphrase?: string | undefined;
  readonly healthHost: string;
  readonly healthPort: number | null;
  readonly logFile?: string | undefined;
  readonly logBytes: number;
  readonly logFiles: number;
}

const MINUTE_MS = 60_000;

/** Each key of the configuration; what `describe` says is both its documentation and what to do about a wrong value. */
const shape = {
  destinations: z
    .tuple([z.string().min(1)], z.string().min(1))
    .describe(
      'a list of folders that are there, or of s3://BUCKET/PLACE: archives are made in the first, and copied to the others',
    ),
  needed: z
    .int()
    .min(1)
    .optional()
    .describe(
      'at how many destinations an archive must be sound before the relay is told; by default at all of them',
    ),
  every: z
    .string()
    .transform(periodOf)
    .prefault('24h')
    .describe('how often an archive is made: a number and m, h or d, such as 24h; from 1m to 365d'),
  at: z
    .string()
    .regex(/^([01]\d|2[0-3]):[0-5]\d$/)
    .transform(minuteOf)
    .prefault('02:30')
    .describe('when in the day, UTC, such as 02:30; where every is less than a day, within each such period'),
  fullAfter: z
    .int()
    .min(0)
    .default(0)
    .describe(
      'after how many archives with what came since the one before a full one is made; 0: only the first',
    ),
  recipients: z
    .array(z.string().min(1))
    .default([])
    .describe(
      'who can open the archives besides the archive key of the policy: age1pq…, or files of such lines',
    ),
  set: z
    .string()
    .min(1)
    .optional()
    .describe(
      'archive-key.set, the signed set of the shares of the archive key: a copy goes into each archive, so that shares alone open it',
    ),
  acknowledge: z
    .enum(['readable', 'all', 'never'])
    .default('readable')
    .describe(
      'whether the relay is told that it may forget: readable, not by an archive that lacks keys or attachments; all, also then; never',
    ),
  passphrase: z
    .string()
    .regex(/^(file|env|credential):./)
    .optional()
    .describe(
      "where this device's passphrase is, file:PATH, env:NAME, or credential:NAME of systemd; without it, as for other commands",
    ),
  healthHost: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .describe('the address of /healthz and /metrics; keep it from the public'),
  healthPort: z
    .int()
    .min(0)
    .max(65_535)
    .nullable()
    .default(9465)
    .describe('the port of /healthz and /metrics, 0 to 65535; 0 takes a free one, null has none'),
  logFile: z.string().min(1).optional().describe('a file for the log, one JSON object a line'),
  logBytes: z
    .int()
    .min(1024)
    .default(10_000_000)
    .describe('with logFile: from how many bytes on another is begun; 1024 at least'),
  logFiles: z
    .int()
    .min(1)
    .max(100)
    .default(5)
    .describe('with logFile: how many are kept, 1 to 100, the newest without a number'),
};

const schema: z.ZodType<AgentConfig> = z.strictObject(shape).superRefine((config, context) => {
  if ((config.needed ?? 1) > config.destinations.length)
    context.addIssue({ code: 'custom', path: ['needed'], message: 'no more than there are destinations' });
  if (new Set(config.destinations.map(placeNamed)).size < config.destinations.length)
    context.addIssue({ code: 'custom', path: ['destinations'], message: 'name each place once' });
});

/** Every key, and what it has to be. */
export const AGENT_CONFIG_KEYS: ReadonlyMap<string, string> = new Map(
  Object.entries(shape).map(([key, { description }]) => [key, description ?? '']),
);

const MAX_CONFIG_BYTES = 1024 * 1024;

/** Reads the JSON file of a configuration. @throws CliError `config-invalid` */
export async function readAgentConfig(path: string): Promise<AgentConfig> {
  const bytes = await readFileBytes(path, MAX_CONFIG_BYTES).catch(() => {
    throw invalid([`the file cannot be read: check its path and who may read it`]);
  });
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    // What JSON.parse says quotes the text.
    throw invalid(['the file is not JSON: check it with a JSON tool']);
  }
  return parseAgentConfig(value);
}

/**
 * @throws CliError `config-invalid` whose message has, for every key that is wrong, its name and what it is to be, and
 * never its value
 */
export function parseAgentConfig(value: unknown): AgentConfig {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw invalid([...new Set(parsed.error.issues.flatMap(problemsOf))]);
}

function problemsOf(issue: z.core.$ZodIssue): string[] {
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => `${key}: no such key: correct or remove it`);
  const [key] = issue.path.map(String);
  if (key === undefined) return ['the file holds one JSON object'];
  const exact = issue.code === 'custom' && issue.path.length === 1 ? issue.message : '';
  return [`${key}: ${exact === '' ? AGENT_CONFIG_KEYS.get(key) : exact}`];
}

function invalid(problems: readonly string[]): CliError {
  const message = `the configuration of the agent: ${problems.join('; ')}`;
  return new CliError('config-invalid', EXIT.usage, message, 'See docs/guides/agent.md.');
}

function periodOf(text: string, context: z.RefinementCtx): number {
  try {
    const ms = parseDuration(text);
    if (ms >= MINUTE_MS) return ms;
  } catch {
    // As for one that is too short.
  }
  context.addIssue('no such period');
  return z.NEVER;
}

function minuteOf(text: string): number {
  const [hours, minutes] = text.split(':').map(Number) as [number, number];
  return (hours * 60 + minutes) * MINUTE_MS;
}
