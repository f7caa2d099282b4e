/**
 * What an agent tells its operator: one JSON object a line. Names of archives, which are dates, codes and numbers; never
 * content, a name, an id of a member, a path or an address. A `destination` is its number in the configuration.
 */
export type AgentEvent =
  | { readonly event: 'started'; readonly pending: number }
  | { readonly event: 'health'; readonly url: string }
  | {
      readonly event: 'exported';
      readonly archive: string;
      readonly isFull: boolean;
      readonly entries: number;
      readonly sizeBytes: number;
      readonly missing: number;
    }
  | { readonly event: 'nothing-new' }
  | {
      readonly event: 'verified';
      readonly archive: string;
      readonly destination: number;
      readonly verdict: string;
      /** The codes of what was found: docs/spec/archive.md, "Findings". */
      readonly findings: readonly string[];
    }
  | { readonly event: 'settled'; readonly archive: string; readonly relay: string }
  | {
      readonly event: 'due';
      readonly days: number;
      readonly first: string | null;
      readonly isWaived: boolean;
    }
  /** The membership log says what no device of this member has done: `keytide directory audit`. */
  | { readonly event: 'alarm'; readonly kind: 'own-device' | 'stolen-key' }
  | { readonly event: 'failed'; readonly code: string; readonly retrySeconds: number | null }
  | { readonly event: 'done' }
  | { readonly event: 'stopped' };

/** Where events go. Must not throw. */
export type Tell = (event: AgentEvent) => void;
