/** One thing that was looked at. A `warn` is worth a thought; with a `fail` the relay does not run, or not well. */
export interface Finding {
  readonly verdict: 'ok' | 'warn' | 'fail';
  readonly check: string;
  /** What is so, and what to do about it. Never a value of the configuration that may be secret. */
  readonly says: string;
}
