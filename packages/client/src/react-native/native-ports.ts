import type { Random } from '@keytide/crypto-core';
import { portablePrimitives } from '@keytide/crypto-core/portable';
import { globalPorts } from '../global-ports.ts';
import type { Ports } from '../ports.ts';

/** Everything the client needs from React Native, with randomness of the platform's, as expo-crypto gives it. */
export function nativeClientPorts(random: Random): Ports {
  return {
    primitives: portablePrimitives(random),
    random,
    ...globalPorts(),
  };
}
