/** A relay in a process of its own, for `device-main.ts`: FOLDER. Tells where it listens, and answers every message with its memory in bytes. */
import { startRelay } from '@keytide/server-relay';
import { heldBytes } from './memory.ts';

const [folder = ''] = process.argv.slice(2);
const relay = await startRelay({ database: { kind: 'pglite', folder }, port: 0, log: () => {} });
process.on('message', () => process.send?.({ heldBytes: heldBytes() }));
process.on('disconnect', () => void relay.close().then(() => process.exit()));
process.send?.({ url: relay.url });
