export { browserPrimitives, type BrowserPrimitivesOptions } from './browser/primitives.ts';
export { browserRandom } from './browser/random.ts';
export type { Sodium } from './browser/sodium.ts';
