import type { Primitives, Random } from '../primitives.ts';

/**
 * The platform's keystore (iOS Keychain, Android Keystore), for one small secret: 49 bytes. Its items must not leave
 * the device: no cloud synchronisation, no backup.
 */
export interface SecureItems {
  /**
   * The item, or `null` where the platform has none, or never again will give it (its key was invalidated). What
   * passes, as a prompt that was cancelled or a device that is locked, must reject instead.
   */
  get(name: string): Promise<Uint8Array | null>;
  /** Makes or replaces the item, and resolves when it will outlive the process. */
  set(name: string, value: Uint8Array): Promise<void>;
  /** Removes the item for good; no item is no error. */
  delete(name: string): Promise<void>;
}

/** Where byte strings of up to some MiB lie: files of the app, or rows of a database. Excluded from backups. */
export interface NativeBlobs {
  /** The blob, or `null` where there is none. */
  read(name: string): Promise<Uint8Array | null>;
  /** Makes or replaces a blob, durable when it resolves. A crash may leave a part of it: it need not be atomic. */
  write(name: string, bytes: Uint8Array): Promise<void>;
  /** Removes a blob, durably when it resolves; no blob is no error. */
  delete(name: string): Promise<void>;
}

/** What a key store on a phone is made of. */
export interface NativePorts {
  readonly primitives: Primitives;
  readonly random: Random;
  readonly secureItems: SecureItems;
  readonly blobs: NativeBlobs;
}
