import { equalBytes } from './bytes.ts';
import { CryptoError } from './errors.ts';

/**
 * Holds a secret so that it is hard to print or keep by mistake. Wiping is best effort: the engine may
 * have copied the bytes, and where classes are lowered (React Native) `#bytes` is hygiene, not a wall.
 */
export class Secret {
  #bytes: Uint8Array | null;

  private constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Takes ownership of `bytes`: the caller must not use them again. */
  static own(bytes: Uint8Array): Secret {
    return new Secret(bytes);
  }

  /** Lends the bytes to `use`, which must not keep them. @throws CryptoError `disposed` */
  use<T>(use: (bytes: Uint8Array) => T): T {
    if (this.#bytes === null) throw new CryptoError('disposed', 'this secret has been wiped');
    return use(this.#bytes);
  }

  /** Constant-time comparison. @throws CryptoError `disposed` */
  equals(other: Secret): boolean {
    return this.use((mine) => other.use((theirs) => equalBytes(mine, theirs)));
  }

  /** Overwrites the bytes; every later use throws `disposed`. */
  dispose(): void {
    this.#bytes?.fill(0);
    this.#bytes = null;
  }

  toJSON(): string {
    return '[secret]';
  }

  toString(): string {
    return '[secret]';
  }
}
