import type { DeviceId, Random, Signer } from '@keytide/crypto-core';
import { applyEntry, isActive, type WriteContext } from '@keytide/key-directory';
import type { DirectoryReplica } from './directory-replica.ts';
import { ClientError } from './errors.ts';
import type { Ports } from './ports.ts';
import type { RelayApi } from './relay-api.ts';
import { takesWitnesses } from './witness-demand.ts';
import type { Witnessing } from './witnessing.ts';

/** The membership log here and at the relay, and the device that adds to it. */
export interface MembershipLog {
  readonly ports: Ports;
  readonly self: { readonly device: DeviceId; readonly signer: Signer };
  readonly api: RelayApi;
  readonly directory: DirectoryReplica;
  readonly witnessing: Pick<Witnessing, 'demand' | 'tick'>;
  pullDirectory(): Promise<void>;
  /** Remembers, durably, that this device has signed an entry: before anybody gets it. */
  remember(wire: Uint8Array): Promise<void>;
}

/** What an entry is built from: the log as it is now, and who adds to it. */
export type BuildContext = WriteContext & { readonly random: Random };

const ATTEMPTS = 5;
const WITNESS_WAITS = 8;

/** What an entry that continues the log as this device knows it is built from. */
export function buildContext({ ports, self, directory }: MembershipLog): BuildContext {
  const { primitives, random, clock } = ports;
  return { primitives, random, state: directory.state, signer: self.signer, nowMs: clock.now() };
}

/**
 * Adds an entry to the membership log; when others were first, builds it again on the new head. The one way in
 * which a member's device writes to the log.
 * @throws ClientError `offline`, `relay-refused`, `relay-misbehaved`, `unwitnessed`; whatever `build` throws
 */
export async function appendEntry<T extends { readonly wire: Uint8Array }>(
  log: MembershipLog,
  build: (context: BuildContext) => T,
): Promise<T> {
  const { ports, self, api, directory, witnessing, pullDirectory, remember } = log;
  let late: T | null = null;
  for (let attempt = 0; ; attempt += 1) {
    await pullDirectory();
    // A relay can have stored what it says came too late: the same is not written twice.
    if (late !== null && directory.has(late.wire)) return late;
    const built = build(buildContext(log));
    const after = applyEntry(ports.primitives, directory.state, built.wire);
    if (takesWitnesses(ports.primitives, directory.state, built.wire)) await witnessing.demand(WITNESS_WAITS);
    await remember(built.wire);
    try {
      await api.appendLog(built.wire);
      // Whoever has just ended their own access cannot look any more.
      if (!isActive(after, self.device)) return built;
      await pullDirectory();
      if (directory.has(built.wire)) {
        // An admin's word about what they have just done need not wait for anybody.
        await witnessing.tick();
        return built;
      }
      throw new ClientError('relay-misbehaved', 'the relay took the entry and does not show it in the log');
    } catch (error) {
      const lost = error instanceof ClientError && error.relayCode === 'head-moved';
      if (!lost || attempt === ATTEMPTS) throw error;
      late = built;
    }
  }
}
