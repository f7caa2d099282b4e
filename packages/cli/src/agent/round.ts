import type { Tell } from './agent-event.ts';
import type { ExportingDevice } from './exporting-device.ts';
import type { AgentMemory } from './state.ts';

/** What a round of the agent works with. */
export interface Round {
  readonly device: ExportingDevice;
  /** Where archives go: they are made at the first, and copied to the others. */
  readonly destinations: readonly [string, ...string[]];
  /** At how many of them one must be sound before the relay is told. */
  readonly needed: number;
  /** Whether the relay is told: `readable` not by an archive that lacks what another device may read. */
  readonly acknowledge: 'readable' | 'all' | 'never';
  /** X-Wing keys, besides the archive key of the policy. */
  readonly recipients: readonly Uint8Array[];
  /** The file of the set of shares that goes into each; `null`: the copy in the archive before, if there is one. */
  readonly set: string | null;
  /** After so many that go on from another comes a full one; 0: not by their number. */
  readonly fullAfter: number;
  readonly memory: AgentMemory;
  /** Whether a new archive is due. */
  readonly isDue: boolean;
  /** Remembers whether the archive that is due is there. */
  onArchived(isThere: boolean): Promise<void>;
  readonly nowMs: number;
  readonly signal: AbortSignal;
  readonly tell: Tell;
  /** The code of an error, for people and monitors. */
  codeOf(error: unknown): string;
}
