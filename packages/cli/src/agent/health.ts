import { nextStep } from './next-step.ts';
import type { AgentState } from './state.ts';
import { isoTime } from '../timestamps.ts';

/** How an agent is doing. Nothing of it is secret: no name, no id, no path. */
export interface Health {
  /** `late`: for too long there was no success. */
  readonly status: 'ok' | 'failing' | 'late';
  /** Why something is left to do; `null` when nothing is. */
  readonly code: string | null;
  /** What somebody can do about it; `null` when nothing is left to do. */
  readonly next: string | null;
  readonly lastSuccess: string | null;
  /** Since the last success, or since the agent first ran. */
  readonly ageSeconds: number;
  /** Archives that the relay was not told of, or that are not at every destination. */
  readonly pending: number;
  /** The oldest archive that admins are yet to sign, by name; no numbers where one who has signed is no admin any more. */
  readonly approvals: AgentState['approvals'];
  /** An archive that is not sound, by name, until one that makes up for it is: the relay is told of none behind it. */
  readonly unsound: string | null;
  /** What the relay is about to forget and nobody has exported; `isWaived`: it goes all the same. */
  readonly due: { readonly days: number; readonly first: string | null; readonly isWaived: boolean } | null;
}

const HOUR_MS = 3_600_000;

/** What is known at a time of an agent that is to make an archive so often. */
export function healthOf(state: AgentState, everyMs: number, nowMs: number): Health {
  const { successMs, sinceMs, failure, series, approvals, due } = state;
  // A clock that was set back makes nothing late.
  const ageMs = Math.max(0, nowMs - (successMs ?? sinceMs));
  const isLate = ageMs > 2 * everyMs + HOUR_MS;
  return {
    status: isLate ? 'late' : failure === null ? 'ok' : 'failing',
    code: failure,
    next: failure === null ? null : nextStep(failure),
    lastSuccess: successMs === null ? null : isoTime(successMs),
    ageSeconds: Math.floor(ageMs / 1000),
    pending: series.pending.length + (series.current === null ? 0 : 1),
    ...{ approvals, unsound: series.unsound },
    due: due && { days: due.days, first: isoTime(due.firstMs), isWaived: due.isWaived },
  };
}

/** The same, and some numbers more, in the text format of Prometheus. */
export function metricsOf(state: AgentState, health: Health): string {
  const { sizeBytes, totalBytes, successMs, table } = state;
  const { status, code, ageSeconds, pending, due } = health;
  return [
    ...gauge('last_success_timestamp_seconds', 'When nothing was left to do.', (successMs ?? 0) / 1000),
    ...gauge('age_seconds', 'Since then, or since the agent first ran.', ageSeconds),
    ...gauge('late', 'Whether that is too long: 1, or 0.', status === 'late' ? 1 : 0),
    ...gauge('failures', 'Failures since then.', table.failures),
    ...gauge('failing', 'Why something is left to do.', 1, code),
    ...gauge('pending_archives', 'Archives that are not done with.', pending),
    ...gauge('archive_bytes', 'Size of the newest archive.', sizeBytes),
    ...gauge(
      'archived_bytes_total',
      'Size of all archives that were made.',
      totalBytes,
      undefined,
      'counter',
    ),
    ...gauge('due_days', 'Days that the relay is about to forget, not exported.', due?.days ?? 0),
  ].join('');
}

/** With `code`: only where there is one, as its label. */
function gauge(name: string, help: string, value: number, code?: string | null, type = 'gauge'): string[] {
  const full = `keytide_agent_${name}`;
  const label = code ? `{code="${code.replaceAll(/[^0-9A-Za-z-]/g, '')}"}` : '';
  return [
    `# HELP ${full} ${help}\n# TYPE ${full} ${type}\n`,
    ...(code === null ? [] : [`${full}${label} ${value}\n`]),
  ];
}
