import { equalBytes } from '@keytide/crypto-core';
import type { TicketPlace } from './lease-place.ts';
import type { JournalRows } from './row-journal.ts';

/** A list that is no journal's: its last row is the unlock ticket. Those before are of shares that nobody keeps any more. */
const LIST = '!unlock';

/** The unlock ticket of a store whose journals are in these rows: a row more, so that a crash leaves the one or the other. */
export function ticketIn(rows: JournalRows): TicketPlace {
  const read = async (): Promise<Uint8Array | null> => {
    const count = await rows.count(LIST);
    return count === 0 ? null : ((await rows.read(LIST, count - 1, count))[0] ?? null);
  };
  return {
    read,
    async write(ticket) {
      const last = await read();
      if (last === null || !equalBytes(last, ticket))
        await rows.append(LIST, await rows.count(LIST), [ticket]);
      await rows.flush(LIST);
    },
    delete: () => rows.cut(LIST, 0),
  };
}
