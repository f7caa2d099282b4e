/** A relay in a process of its own whose clock can be set ahead: FOLDER. Tells where it listens; a message is by how many ms. */
import { startRelay } from '@keytide/server-relay';

const [folder = ''] = process.argv.slice(2);
let leaptMs = 0;
const clock = { now: () => Date.now() + leaptMs };
const relay = await startRelay({ database: { kind: 'pglite', folder }, port: 0, clock, log: () => {} });
process.on('message', (ms: number) => {
  leaptMs += ms;
  process.send?.({ leaptMs });
});
// The folder goes too, so nothing has to be finished.
process.on('disconnect', () => process.exit());
process.send?.({ url: relay.url });
