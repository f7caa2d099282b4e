import type { FanOut } from '../src/crypto/fresh-key.ts';
import { addCommit } from './mls-fan-out.ts';

/** Not hybrid, and faster for it. */
const x25519: FanOut = addCommit(
  'MLS add-commit (ts-mls, X25519)',
  'MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519',
);

export default x25519;
