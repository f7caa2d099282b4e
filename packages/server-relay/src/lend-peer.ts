import type { EntryRoutesOptions } from './entry-routes.ts';
import { sessionEnded } from './errors.ts';
import type { Organisations } from './organisations.ts';
import { createPeer, type PeerShared } from './peer.ts';
import type { SessionWatch } from './session-watch.ts';

/** What `createPeerLending` works with. */
export interface PeerLendingOptions {
  readonly watch: Pick<SessionWatch, 'check' | 'isCurrent' | 'look'>;
  readonly organisations: Pick<Organisations, 'pin'>;
  readonly shared: PeerShared;
}

/** Lends a device that has no socket a peer for one request. */
export function createPeerLending({
  watch,
  organisations,
  shared,
}: PeerLendingOptions): EntryRoutesOptions['withPeer'] {
  return async ({ org, device }, outlet, use) => {
    // A node that may be behind the others looks before it does anything for anybody.
    if (!watch.isCurrent()) await watch.look();
    const pinned = await organisations.pin(org);
    if (pinned === null) throw sessionEnded();
    const { organisation, release } = pinned;
    const upToDate = (): Promise<void> => watch.check(org);
    const mine = { organisation, device: device.id, outlet, upToDate, failed: () => undefined };
    await use(createPeer({ shared, ...mine })).finally(release);
  };
}
