import type { Shape } from './crowds/crowd.ts';
import type { Target } from './load.ts';

/** Something that takes messages and passes them on, started for this bench and ended with it. */
export interface Service {
  readonly name: string;
  /** The process at its root; a database that it shares with others is none of it. */
  readonly pids: readonly number[];
  /** Where a crowd of this shape goes. */
  target(shape: Shape): Promise<Target>;
  stop(): Promise<void>;
}
