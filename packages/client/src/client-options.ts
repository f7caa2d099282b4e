import type { Declarations } from './collection.ts';
import type { DeviceStore, Ports } from './ports.ts';

/** What `openClient` needs. */
export interface ClientOptions<D extends Declarations> {
  readonly definition: D;
  readonly store: DeviceStore;
  readonly ports: Ports;
}
