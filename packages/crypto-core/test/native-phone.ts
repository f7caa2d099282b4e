import type { KeyStore } from '@keytide/crypto-core';
import { nodePrimitives, nodeRandom } from '@keytide/crypto-core/node';
import {
  openNativeKeyStore,
  type NativeKeyStoreOptions,
  type NativePorts,
} from '@keytide/crypto-core/react-native';
import { memoryNativePorts, type NativeStorage } from '@keytide/testkit/key-store';

/** A phone's storage, and the app on it that is started anew for each opening. */
export interface Phone {
  readonly storage: NativeStorage;
  start(): NativePorts;
  open(change?: Partial<NativeKeyStoreOptions>): Promise<KeyStore>;
}

/** A phone with nothing on it, or with what `storage` holds. */
export function phoneWith(storage: NativeStorage = { items: new Map(), blobs: new Map() }): Phone {
  const start = () => memoryNativePorts({ primitives: nodePrimitives, random: nodeRandom }, storage);
  const open: Phone['open'] = (change = {}) =>
    openNativeKeyStore(start(), { name: 'vault', create: false, ...change });
  return { storage, start, open };
}

/** The same phone, as it is now, to go on with in another way. */
export function copyOf({ storage }: Phone): Phone {
  const copied = (values: Map<string, Uint8Array>) =>
    new Map([...values].map(([name, value]) => [name, value.slice()] as const));
  return phoneWith({ items: copied(storage.items), blobs: copied(storage.blobs) });
}

/** How the operation that a fault hits comes out. */
export type Fault = (typeof FAULTS)[number];
export const FAULTS = [
  'crash before',
  'crash midway',
  'crash near the end',
  'crash after',
  'refused',
  'refused after',
] as const;

/** An error of the platform, as an app's ports pass it on. */
class PlatformError extends Error {}

/** Ports of which one operation, counted from 0, goes wrong; after a crash the app does nothing any more. */
export function faultyPorts(phone: Phone, at: number, fault: Fault) {
  const ports = phone.start();
  let count = 0;
  let isDead = false;
  const guarded = async <T>(
    operation: () => Promise<T>,
    part: (share: number) => Promise<unknown>,
  ): Promise<T> => {
    if (isDead) return new Promise<T>(() => {});
    const isHit = count === at;
    count += 1;
    if (!isHit) return operation();
    if (fault === 'crash midway') await part(0.5);
    if (fault === 'crash near the end') await part(0.99);
    if (fault === 'crash after' || fault === 'refused after') await operation();
    isDead = fault.startsWith('crash');
    if (isDead) crashed();
    if (isDead) return new Promise<T>(() => {});
    throw new PlatformError('the platform refuses');
  };
  let crashed: () => void = () => {};
  const crash = new Promise<void>((resolve) => (crashed = resolve));
  const nothing = async (): Promise<void> => {};
  const { secureItems, blobs } = ports;
  const faulty: NativePorts = {
    ...ports,
    secureItems: {
      get: (name) => guarded(() => secureItems.get(name), nothing),
      set: (name, value) => guarded(() => secureItems.set(name, value), nothing),
      delete: (name) => guarded(() => secureItems.delete(name), nothing),
    },
    blobs: {
      read: (name) => guarded(() => blobs.read(name), nothing),
      write: (name, bytes) =>
        guarded(
          () => blobs.write(name, bytes),
          (share) => blobs.write(name, bytes.subarray(0, Math.floor(bytes.length * share))),
        ),
      delete: (name) => guarded(() => blobs.delete(name), nothing),
    },
  };
  return { ports: faulty, crash, operations: () => count };
}

/** Whether an error came from `faultyPorts`. */
export function isPlatformError(error: unknown): boolean {
  return error instanceof PlatformError;
}
