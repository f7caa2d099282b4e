/** A relay in a process of its own: its options as JSON. Tells where it listens; collects garbage when it is asked, and does what is over. */
import { startRelay, type RelayOptions } from '@keytide/server-relay';

const { limits, ...options } = JSON.parse(process.argv[2] ?? '{}') as RelayOptions;
/** How fast it is, is measured; how much it lets one organisation do, is not. */
const unlimited = {
  organisationBurst: 1_000_000_000,
  organisationPerSecond: 1_000_000,
  socketsOfDevice: 1_000_000,
};
const relay = await startRelay({ port: 0, ...options, limits: { ...unlimited, ...limits } });
process.on('message', () => {
  // With all that it can give back, so that what is left is what is held.
  void globalThis.gc?.({ type: 'major', flavor: 'last-resort' });
  process.send?.({ collected: true });
});
process.on('disconnect', () => void relay.close().then(() => process.exit()));
process.send?.({ url: relay.url, name: relay.name });
