import type { Random } from '@keytide/crypto-core';
import { portablePrimitives } from '@keytide/crypto-core/portable';
import { openNativeKeyStore } from '@keytide/crypto-core/react-native';
import { memoryNativePorts, type NativeStorage } from '@keytide/testkit/key-store';
import { runKeyStoreChecks } from './vault-checks.ts';

/** What the virtual machine offers to print with. */
declare const print: (line: string) => void;

/** Not random: the virtual machine has no source of it, and here it must only differ. */
let counter = 0;
const random: Random = (sizeBytes) => {
  counter += 1;
  return new Uint8Array(sizeBytes).map((_, index) => (index * 73 + counter * 151 + (counter >> 8)) & 0xff);
};
const runtime = { primitives: portablePrimitives(random), random };

runKeyStoreChecks(() => {
  const storage: NativeStorage = { items: new Map(), blobs: new Map() };
  const ports = memoryNativePorts(runtime, storage);
  return {
    create: () => openNativeKeyStore(ports, { name: 'vault', create: true }),
    open: () => openNativeKeyStore(ports, { name: 'vault', create: false }),
    beside: 'vault-locked',
    crash: () => openNativeKeyStore(memoryNativePorts(runtime, storage), { name: 'vault', create: false }),
    kept: async () => [...storage.blobs.values()],
  };
}).then(
  (report) => print(JSON.stringify(report)),
  (error) => print(`failed: ${String(error)}`),
);
