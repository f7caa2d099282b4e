import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as path } from 'node:path';
import { nodePrimitives as primitives, nodeRandom as random } from '@keytide/crypto-core/node';
import { leaseConformance, type LeaseUnderTest } from '@keytide/testkit/journal';
import { memoryNativePorts } from '@keytide/testkit/key-store';
import { afterAll, describe, expect, it, test } from 'vitest';
import { openFileDeviceStore } from '../src/node.ts';
import { openNativeDeviceStore } from '../src/react-native.ts';
import { ticketIn } from '../src/row-ticket.ts';
import { memoryRows } from './memory-rows.ts';

const kdf = { memoryKiB: 8, passes: 1, parallelism: 1 };
const folders: string[] = [];
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

leaseConformance(
  'file',
  async () => {
    const home = await mkdtemp(path(tmpdir(), 'keytide-lease-stores-'));
    folders.push(home);
    const openWith =
      (passphrase: string): LeaseUnderTest['open'] =>
      (ports) =>
        openFileDeviceStore({ home, passphrase, kdf, ports });
    return { open: openWith('2849'), openWrongly: openWith('0000') };
  },
  { describe, it },
);

leaseConformance(
  'React Native',
  async () => {
    const native = memoryNativePorts({ primitives, random }, { items: new Map(), blobs: new Map() });
    const rows = memoryRows();
    const open: LeaseUnderTest['open'] = (ports) =>
      openNativeDeviceStore({ ...native, rows }, { name: 'app', ports });
    return { open, openWrongly: null };
  },
  { describe, it },
);

test('a ticket in rows is on the disk when it is written, also one that is there already', async () => {
  const rows = memoryRows();
  const done: string[] = [];
  const place = ticketIn({
    ...rows,
    append: async (...row) => {
      await rows.append(...row);
      done.push('append');
    },
    flush: async () => void done.push('flush'),
  });
  for (const byte of [1, 1, 2]) await place.write(Uint8Array.of(byte));
  expect(done).toEqual(['append', 'flush', 'flush', 'append', 'flush']);
});
