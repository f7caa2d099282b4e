/** Time as the relay sees it: milliseconds since 1970, UTC. */
export interface Clock {
  now(): number;
}
