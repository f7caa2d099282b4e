import { readRecipient } from '@keytide/archive';
import { fromHex, publicKeyFingerprint, toHex } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import type { ApprovalAct, Policy } from '@keytide/key-directory';
import { parseDuration } from './duration.ts';
import { usageError } from './usage.ts';

/** One thing that a policy decides, as people read and write it. */
interface PolicyKey {
  readonly key: string;
  /** What `policy set` takes for it. */
  readonly takes: string;
  /** As `policy set` takes it, but for the archive key; `none` where the policy says nothing. */
  read(policy: Policy): string;
  write(policy: Policy, value: string): Policy;
}

type Seconds = 'blockSeconds' | 'retentionSeconds' | 'exportSeconds' | 'leaseSeconds' | 'silenceSeconds';
const NONE = 'none';

/** Everything that a policy can say, in the order in which it is shown. */
export const POLICY_KEYS: readonly PolicyKey[] = [
  duration('block', 'blockSeconds'),
  duration('retention', 'retentionSeconds'),
  duration('export', 'exportSeconds'),
  duration('lease', 'leaseSeconds'),
  duration('silence', 'silenceSeconds'),
  {
    key: 'unexported',
    takes: 'keep or delete',
    read: ({ exportWaived }) => (exportWaived === undefined ? 'keep' : 'delete'),
    write: (policy, value) => {
      if (value === 'delete') return { ...policy, exportWaived: true };
      if (value === 'keep') return without(policy, 'exportWaived');
      throw new RangeError('neither');
    },
  },
  approvals('administration'),
  approvals('wipe'),
  approvals('export'),
  approvals('recovery'),
  {
    key: 'witnesses',
    takes: 'how many admins and how lately, such as 2/24h, or none',
    read: ({ witnesses }) =>
      witnesses === undefined ? NONE : `${witnesses.needed}/${durationText(witnesses.maxAgeSeconds)}`,
    write: (policy, value) => {
      if (value === NONE) return without(policy, 'witnesses');
      const [needed = '', age = ''] = value.split('/');
      return { ...policy, witnesses: { needed: count(needed), maxAgeSeconds: seconds(age) } };
    },
  },
  {
    key: 'privacy-budget',
    takes: 'thousandths of epsilon and for which time, such as 1000/30d, or none',
    read: ({ privacyBudget: budget }) =>
      budget === undefined ? NONE : `${budget.epsilonMilli}/${durationText(budget.periodSeconds)}`,
    write: (policy, value) => {
      if (value === NONE) return without(policy, 'privacyBudget');
      const [epsilon = '', period = ''] = value.split('/');
      if (!/^[1-9]\d{0,8}$/.test(epsilon)) throw new RangeError('not thousandths');
      return { ...policy, privacyBudget: { epsilonMilli: Number(epsilon), periodSeconds: seconds(period) } };
    },
  },
  signingKey('recovery-key', 'recoveryKey'),
  signingKey('relay-key', 'relayKey'),
  {
    key: 'archive-key',
    takes: 'a public key, age1pq… as `keytide archive-key make` writes it to recipient.txt, or none',
    // By its fingerprint, which is on the sheets of the holders: the key itself has 2,000 characters.
    read: ({ archiveKey }) =>
      archiveKey === undefined ? NONE : toHex(publicKeyFingerprint(primitives, 'x-wing-seed', archiveKey)),
    write: (policy, value) =>
      value === NONE ? without(policy, 'archiveKey') : { ...policy, archiveKey: readRecipient(value.trim()) },
  },
];

/** The policy with another value for one key. @throws CliError `usage` */
export function changedPolicy(policy: Policy, key: string, value: string): Policy {
  const found = POLICY_KEYS.find((known) => known.key === key);
  if (found === undefined) {
    const keys = POLICY_KEYS.map((known) => known.key);
    throw usageError('there is no such thing to set', `Give one of ${keys.join(', ')}.`);
  }
  try {
    return found.write(policy, value);
  } catch {
    throw usageError(`not a value for ${key}`, `It takes ${found.takes}.`);
  }
}

/** What differs, one line each: `key: before → after`. */
export function policyChanges(before: Policy, after: Policy): string[] {
  return POLICY_KEYS.map(({ key, read }) => [key, read(before), read(after)] as const)
    .filter(([, old, now]) => old !== now)
    .map(([key, old, now]) => `${key}: ${old} → ${now}`);
}

function duration(key: string, name: Seconds): PolicyKey {
  const isOptional = name === 'leaseSeconds' || name === 'silenceSeconds';
  return {
    key,
    takes: `a duration such as 24h${isOptional ? ', or none' : ''}`,
    read: (policy) => (policy[name] === undefined ? NONE : durationText(policy[name])),
    write: (policy, value) => {
      if (value === NONE && isOptional) return without(policy, name);
      return { ...policy, [name]: seconds(value) };
    },
  };
}

function approvals(act: ApprovalAct): PolicyKey {
  return {
    key: `approvals.${act}`,
    takes: 'how many admins it takes, its author included: 1 to 16',
    read: (policy) => `${policy.approvals?.[act] ?? 1}`,
    write: (policy, value) => {
      const needed = count(value);
      const others = without(policy.approvals ?? {}, act);
      const all = needed === 1 ? others : { ...others, [act]: needed };
      return Object.keys(all).length === 0 ? without(policy, 'approvals') : { ...policy, approvals: all };
    },
  };
}

function signingKey(key: string, name: 'recoveryKey' | 'relayKey'): PolicyKey {
  return {
    key,
    takes: 'a public key of 64 hexadecimal digits, or none',
    read: (policy) => (policy[name] === undefined ? NONE : toHex(policy[name])),
    write: (policy, value) => {
      if (value === NONE) return without(policy, name);
      const bytes = fromHex(value);
      if (bytes?.length !== 32) throw new RangeError('not a key');
      return { ...policy, [name]: bytes };
    },
  };
}

/** A copy without one of the things that may be left out. */
function without<T extends object, K extends keyof T>(whole: T, name: K): T {
  const copy = { ...whole };
  delete copy[name];
  return copy;
}

function count(text: string): number {
  if (!/^([1-9]|1[0-6])$/.test(text)) throw new RangeError('not a number of admins');
  return Number(text);
}

function seconds(text: string): number {
  return parseDuration(text) / 1000;
}

function durationText(total: number): string {
  for (const [unit, size] of [
    ['d', 86_400],
    ['h', 3600],
    ['m', 60],
  ] as const) {
    if (total % size === 0) return `${total / size}${unit}`;
  }
  return `${total}s`;
}
