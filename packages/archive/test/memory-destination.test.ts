import { destinationConformance } from '@keytide/testkit';
import { describe, it } from 'vitest';
import { ArchiveError } from '../src/index.ts';
import { memoryDestination } from './memory-destination.ts';

destinationConformance(
  'memory',
  async () => {
    const files = new Map<string, Uint8Array>();
    let room: number | null = null;
    const onWrite = (sizeBytes: number): void => {
      if (room !== null && sizeBytes > room) throw new ArchiveError('destination-full', 'no room');
    };
    return {
      open: async () => memoryDestination(onWrite, files),
      leaveRoom: (sizeBytes) => void (room = sizeBytes),
    };
  },
  { describe, it },
);
