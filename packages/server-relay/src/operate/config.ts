import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { RelayError } from '../errors.ts';
import { CONFIG_KEYS, configSchema, type Config } from './config-schema.ts';

const PREFIX = 'KEYTIDE_RELAY_';
/** Names the file; every other variable with the prefix is a key. */
const FILE_VARIABLE = `${PREFIX}CONFIG`;

/**
 * The configuration of a service: the JSON file, where one is named by `path` or `KEYTIDE_RELAY_CONFIG`, and on top of
 * it one `KEYTIDE_RELAY_…` variable a key.
 * @throws RelayError `config-invalid` whose message has, for every key that is wrong, its name, its variable and
 * what to do, and never a value: that may be a password. `reason` lists the keys
 */
export async function readConfig(
  path: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Config> {
  const file = path ?? env[FILE_VARIABLE];
  return parseConfig(file === undefined ? {} : await readJson(file), env);
}

/** As `readConfig`, with the content of the file. */
export function parseConfig(file: unknown, env: Readonly<Record<string, string | undefined>>): Config {
  if (typeof file !== 'object' || file === null || Array.isArray(file))
    throw invalid([{ key: 'config', problem: `the file (${FILE_VARIABLE}) holds one JSON object` }]);
  const { values, unknown } = fromEnvironment(env);
  const parsed = configSchema.safeParse({ ...file, ...values });
  const problems = [...unknown, ...(parsed.success ? [] : problemsOf(parsed.error))];
  if (!parsed.success || problems.length > 0) throw invalid(problems);
  return parsed.data;
}

/** The variable of a key: `managementPort` is `KEYTIDE_RELAY_MANAGEMENT_PORT`. */
export function variableOf(key: string): string {
  return PREFIX + key.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}

interface Problem {
  readonly key: string;
  readonly problem: string;
}

async function readJson(path: string): Promise<unknown> {
  const what = `the file (--config or ${FILE_VARIABLE})`;
  const text = await readFile(path, 'utf8').catch(() => {
    throw invalid([{ key: 'config', problem: `${what} cannot be read: check its path and who may read it` }]);
  });
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // What JSON.parse says quotes the text.
    throw invalid([{ key: 'config', problem: `${what} is not JSON: check it with a JSON tool` }]);
  }
}

function fromEnvironment(env: Readonly<Record<string, string | undefined>>): {
  values: Record<string, string>;
  unknown: Problem[];
} {
  const keys = new Map(Array.from(CONFIG_KEYS.keys(), (key) => [variableOf(key), key]));
  const values: Record<string, string> = {};
  const unknown: Problem[] = [];
  for (const [variable, value] of Object.entries(env)) {
    if (!variable.startsWith(PREFIX) || variable === FILE_VARIABLE || value === undefined) continue;
    const key = keys.get(variable);
    if (key === undefined) unknown.push({ key: variable, problem: UNKNOWN_VARIABLE });
    else values[key] = value;
  }
  return { values, unknown };
}

const UNKNOWN_VARIABLE =
  'no such variable: correct or unset it (Kubernetes makes some for a service of this name: enableServiceLinks: false)';

function problemsOf(error: z.ZodError): Problem[] {
  const problems = error.issues.flatMap((issue): Problem[] => {
    if (issue.code === 'unrecognized_keys') {
      const place = issue.path.length === 0 ? '' : `${issue.path.join('.')}.`;
      return issue.keys.map((key) => ({ key: place + key, problem: 'no such key: correct or remove it' }));
    }
    const [key = 'config', ...within] = issue.path.map(String);
    const remedy = CONFIG_KEYS.get(key) ?? '';
    const exact = issue.code === 'custom' ? issue.message : remedy;
    return [{ key: [key, ...within].join('.'), problem: `(${variableOf(key)}) ${exact}` }];
  });
  return [...new Map(problems.map((problem) => [problem.key, problem])).values()];
}

function invalid(problems: readonly Problem[]): RelayError {
  const lines = problems.map(({ key, problem }) => `${key}: ${problem}`);
  return new RelayError('config-invalid', lines.join('\n'), {
    reason: problems.map(({ key }) => key).join(','),
  });
}
