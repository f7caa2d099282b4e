import type { GroupId, OrgId } from '@keytide/crypto-core';

/**
 * What a relay tells its operator: one JSON object a line. Never content, names, tokens, device ids or
 * network addresses; organisations and groups by their first 8 hex digits.
 */
export type LogEvent =
  | { readonly event: 'listening'; readonly url: string; readonly name: string }
  | { readonly event: 'management'; readonly url: string }
  | { readonly event: 'draining'; readonly sockets: number }
  | { readonly event: 'closing' }
  | { readonly event: 'reloaded'; readonly what: string }
  | { readonly event: 'organisation-created'; readonly org: string }
  | { readonly event: 'login'; readonly org: string; readonly kind: string }
  | { readonly event: 'login-refused'; readonly kind: string }
  /** A refresh token came a second time: somebody else has it too. */
  | { readonly event: 'refresh-reused'; readonly org: string }
  | { readonly event: 'sessions-ended'; readonly of: string }
  | { readonly event: 'wipe-receipt'; readonly org: string }
  | { readonly event: 'unlock-refused'; readonly org: string; readonly code: 'wrong-proof' }
  | { readonly event: 'directory'; readonly org: string; readonly size: number }
  | {
      readonly event: 'append';
      readonly org: string;
      readonly group: string;
      readonly firstSeq: number;
      readonly count: number;
      /** How many of them start an epoch. */
      readonly statements: number;
      readonly sizeBytes: number;
    }
  /** `outcome`: `told`, `gone`, or why not (docs/spec/push.md). */
  | { readonly event: 'push'; readonly org: string; readonly kind: string; readonly outcome: string }
  /** What a group's log has no more, both included: its time is over by the organisation's policy. */
  | {
      readonly event: 'forgotten';
      readonly org: string;
      readonly group: string;
      readonly firstSeq: number;
      readonly lastSeq: number;
    }
  | { readonly event: 'socket-opened'; readonly sockets: number }
  | { readonly event: 'socket-closed'; readonly reason: string; readonly sockets: number }
  /** `seconds`: what is left of the token that Vault is asked with. */
  | { readonly event: 'vault-token'; readonly renewable: boolean; readonly seconds: number }
  /** The bus between nodes has fallen silent, or is heard again. */
  | { readonly event: 'bus'; readonly isAlive: boolean }
  /** `what` was to be read again, with `reload`; `org`: where only that organisation is concerned. */
  | {
      readonly event: 'failed';
      readonly where: string;
      readonly code: string;
      readonly what?: string;
      readonly org?: string;
    };

/** Where log events go. Must not throw. */
export type Log = (event: LogEvent) => void;

/** Enough of an id to tell entries of a log apart. */
export function shortId(id: OrgId | GroupId): string {
  return id.slice(0, 8);
}
