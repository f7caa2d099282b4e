import * as core from '@keytide/crypto-core';
import * as portable from '@keytide/crypto-core/portable';

/** Kept where a bundler cannot see that nobody uses it. */
Object.assign(globalThis, { keytide: { core, portable } });
