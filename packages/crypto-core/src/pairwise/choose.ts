import { ABILITY_LIBSIGNAL, type DeviceRecord } from '../device-record.ts';
import type { PairwiseKind } from './channel.ts';

/**
 * How two devices talk: in sessions where both can, else in boxes. There is no other input, so nobody but the
 * devices can choose. Both records come from the verified membership log.
 */
export function choosePairwise(own: DeviceRecord, peer: DeviceRecord): PairwiseKind {
  return (own.abilities & peer.abilities & ABILITY_LIBSIGNAL) === 0 ? 'box' : 'session';
}
