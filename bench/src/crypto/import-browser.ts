import * as core from '@keytide/crypto-core';
import * as browser from '@keytide/crypto-core/browser';

/** Kept where a bundler cannot see that nobody uses it. */
Object.assign(globalThis, { keytide: { core, browser } });
