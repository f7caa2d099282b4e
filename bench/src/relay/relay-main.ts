/** A relay in a process of its own: its options as JSON. Tells where it listens; collects garbage when it is asked, and does what is over. */
import { startRelay, type RelayOptions } from '@keytide/server-relay';

const relay = await startRelay({ port: 0, ...(JSON.parse(process.argv[2] ?? '{}') as RelayOptions) });
process.on('message', () => {
  // With all that it can give back, so that what is left is what is held.
  void globalThis.gc?.({ type: 'major', flavor: 'last-resort' });
  process.send?.({ collected: true });
});
process.on('disconnect', () => void relay.close().then(() => process.exit()));
process.send?.({ url: relay.url, name: relay.name });
