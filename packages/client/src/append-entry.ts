import type { DirectoryState } from '@keytide/key-directory';
import type { DirectoryReplica } from './directory-replica.ts';
import { ClientError } from './errors.ts';
import type { RelayApi } from './relay-api.ts';

/** The membership log here and at the relay. */
export interface MembershipLog {
  readonly api: RelayApi;
  readonly directory: DirectoryReplica;
  pullDirectory(): Promise<void>;
}

/** An entry, and whether this device may still read the log once it is there. */
interface Built {
  readonly wire: Uint8Array;
  readonly endsOwnAccess?: boolean;
}

const ATTEMPTS = 5;

/**
 * Adds an entry to the membership log; when others were first, builds it again on the new head.
 * @throws ClientError `offline`, `relay-refused`, `relay-misbehaved`; whatever `build` throws
 */
export async function appendEntry<T extends Built>(
  { api, directory, pullDirectory }: MembershipLog,
  build: (state: DirectoryState) => T,
): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    await pullDirectory();
    const built = build(directory.state);
    try {
      await api.appendLog(built.wire);
      if (built.endsOwnAccess) return built;
      await pullDirectory();
      if (directory.has(built.wire)) return built;
      throw new ClientError('relay-misbehaved', 'the relay took the entry and does not show it in the log');
    } catch (error) {
      const lost = error instanceof ClientError && error.relayCode === 'head-moved';
      if (!lost || attempt === ATTEMPTS) throw error;
    }
  }
}
