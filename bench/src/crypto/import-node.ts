import * as core from '@keytide/crypto-core';
import * as node from '@keytide/crypto-core/node';

/** Kept where a bundler cannot see that nobody uses it. */
Object.assign(globalThis, { keytide: { core, node } });
