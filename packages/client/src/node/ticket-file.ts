import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { replaceFile } from '@keytide/crypto-core/node';
import type { TicketPlace } from '../lease-place.ts';

/** The unlock ticket of a home: the file `unlock`. */
export function ticketIn(home: string): TicketPlace {
  const path = join(home, 'unlock');
  return {
    async read() {
      try {
        return new Uint8Array(await readFile(path));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
        throw error;
      }
    },
    write: (ticket) => replaceFile(path, ticket),
    delete: () => rm(path, { force: true }),
  };
}
