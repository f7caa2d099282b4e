import type { Declarations } from './collection.ts';
import type { DeviceStore, Ports } from './ports.ts';
import type { Sessions } from './sessions.ts';

/** What `openClient` needs. */
export interface ClientOptions<D extends Declarations> {
  readonly definition: D;
  readonly store: DeviceStore;
  readonly ports: Ports;
  /**
   * Has direct messages travel in sessions: `libsignalSessions` of `@keytide/client/libsignal`. Whether a device holds
   * sessions is in its signed record: it is said when the device is made, and is the same at every opening.
   */
  readonly sessions?: Sessions;
}
