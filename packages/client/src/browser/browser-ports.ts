import { browserPrimitives, browserRandom } from '@keytide/crypto-core/browser';
import { globalPorts } from '../global-ports.ts';
import type { Ports } from '../ports.ts';

/** Everything the client needs from a browser; resolves once the cryptography is loaded. */
export async function browserPorts(): Promise<Ports> {
  return {
    primitives: await browserPrimitives(),
    random: browserRandom,
    ...globalPorts(),
  };
}
