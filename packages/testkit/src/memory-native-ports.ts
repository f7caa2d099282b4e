import type { Primitives, Random } from '@keytide/crypto-core';
import type { NativePorts } from '@keytide/crypto-core/react-native';

/** What a phone keeps: the items of its keystore, and the app's blobs. */
export interface NativeStorage {
  readonly items: Map<string, Uint8Array>;
  readonly blobs: Map<string, Uint8Array>;
}

/** Native ports over memory. Every call is a new start of the app on the same phone. */
export function memoryNativePorts(
  runtime: { readonly primitives: Primitives; readonly random: Random },
  { items, blobs }: NativeStorage,
): NativePorts {
  return {
    ...runtime,
    secureItems: {
      get: async (name) => items.get(name)?.slice() ?? null,
      set: async (name, value) => void items.set(name, value.slice()),
      delete: async (name) => void items.delete(name),
    },
    blobs: {
      read: async (name) => blobs.get(name)?.slice() ?? null,
      write: async (name, bytes) => void blobs.set(name, bytes.slice()),
      delete: async (name) => void blobs.delete(name),
    },
  };
}
