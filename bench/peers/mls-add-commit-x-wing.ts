import type { FanOut } from '../src/crypto/fresh-key.ts';
import { addCommit } from './mls-fan-out.ts';

/** The same in a hybrid suite, with the KEM that we use. */
const xWing: FanOut = addCommit('MLS add-commit (ts-mls, X-Wing)', 'MLS_256_XWING_AES256GCM_SHA512_Ed25519');

export default xWing;
