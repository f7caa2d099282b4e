import { loadPeer } from '../peers.ts';
import { keytide } from './keytide.ts';
import type { Messenger } from './messenger.ts';

/** Ours first, then the peers. A quick run leaves out MLS, the slowest, of which no goal speaks. */
export async function loadMessengers(quick: boolean): Promise<Messenger[]> {
  const messengers: Messenger[] = [keytide];
  const names = ['libsignal-sender-key', 'libsignal-session', 'olm', 'matrix'];
  for (const name of quick ? names : [...names, 'mls']) messengers.push(await loadPeer<Messenger>(name));
  return messengers;
}
