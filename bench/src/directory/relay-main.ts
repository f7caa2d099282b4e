/** A relay in a process of its own, for `relay-days.ts`: FOLDER. Tells where it listens, and answers every message with its memory in bytes. */
import { startRelay } from '@keytide/server-relay';
import { heldBytes } from './memory.ts';

const [folder = ''] = process.argv.slice(2);
const relay = await startRelay({ database: { kind: 'pglite', folder }, port: 0, log: () => {} });
process.on('message', () => void heldBytes().then((bytes) => process.send?.({ heldBytes: bytes })));
// The folder goes too, so nothing has to be finished.
process.on('disconnect', () => process.exit());
process.send?.({ url: relay.url });
