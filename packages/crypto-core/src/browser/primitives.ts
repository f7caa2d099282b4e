import { hmacSha256, sha256 } from '../portable/sha256.ts';
import type { Primitives, Random } from '../primitives.ts';
import { aeadOf } from './aead.ts';
import { ed25519Of } from './ed25519.ts';
import type { Sodium } from './sodium.ts';
import { xWingOf } from './x-wing.ts';

/** What `browserPrimitives` may be given. */
export interface BrowserPrimitivesOptions {
  /** An object with libsodium's interface, such as react-native-libsodium; libsodium-wrappers is loaded where there is none. */
  readonly sodium?: Sodium;
  /** What encapsulation draws from; libsodium's generator where there is none. */
  readonly random?: Random;
}

/**
 * Suite 1 on libsodium, once that is ready; SHA-256 in plain JavaScript, because libsodium's usual build has none
 * and WebCrypto's answers only later. @throws Error of libsodium where it cannot start (no WebAssembly, for one);
 * `portablePrimitives` works there
 */
export async function browserPrimitives(options: BrowserPrimitivesOptions = {}): Promise<Primitives> {
  const sodium = options.sodium ?? (await loadSodium());
  await sodium.ready;
  const random = options.random ?? ((sizeBytes) => sodium.randombytes_buf(sizeBytes));
  return {
    name: 'libsodium',
    sha256,
    hmacSha256,
    ...aeadOf(sodium),
    ...ed25519Of(sodium),
    ...xWingOf(sodium, random),
  };
}

/** Only on demand, so that an app which brings its own libsodium does not start this one. */
async function loadSodium(): Promise<Sodium> {
  const loaded = await import('libsodium-wrappers');
  return loaded.default;
}
