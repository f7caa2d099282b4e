import { doneResponse, pushOfferResponse, type PushKind } from '@keytide/relay-protocol';
import type { RelayApi } from './relay-api.ts';

/** The ways by which the relay can tell a device that there is something new. */
export interface PushOffer {
  /** None: the relay does not push. */
  readonly kinds: readonly PushKind[];
  /** For Web Push: the `applicationServerKey` to subscribe with, 65 bytes. */
  readonly vapidKey: Uint8Array | null;
}

/** How this device is to be told. */
export interface PushTarget {
  readonly kind: PushKind;
  /** The endpoint of a Web Push subscription, an Expo push token, or what the operator's webhook knows it by. */
  readonly target: string;
}

/**
 * Being told that there is something new while the app is not connected (docs/spec/push.md). The word says nothing
 * else; what there is, the app reads when it connects.
 */
export class Push {
  readonly #api: Pick<RelayApi, 'call'>;
  readonly #assertOpen: () => void;

  constructor(api: Pick<RelayApi, 'call'>, assertOpen: () => void) {
    this.#api = api;
    this.#assertOpen = assertOpen;
  }

  /** What the relay has. @throws ClientError `offline`, `relay-refused`, `closed`, `wiped`, `locked` */
  async offer(): Promise<PushOffer> {
    this.#assertOpen();
    const { kinds, vapidKey } = await this.#api.call('GET', '/push', pushOfferResponse);
    return { kinds: kinds.filter(isKnown), vapidKey };
  }

  /**
   * Has the relay tell this device so from now on, in place of the way before; at each start of the app, for a push
   * service may end a registration at any time. Nobody reads it back, and it goes with the device.
   * @throws ClientError as `offer`; `relay-refused` with `push-refused` for what this relay does not push to
   */
  async register({ kind, target }: PushTarget): Promise<void> {
    this.#assertOpen();
    await this.#api.call('PUT', '/push', doneResponse, { kind, target });
  }

  /** Has the relay forget how to tell this device. @throws ClientError as `offer` */
  async unregister(): Promise<void> {
    this.#assertOpen();
    await this.#api.call('DELETE', '/push', doneResponse);
  }
}

function isKnown(kind: string): kind is PushKind {
  return kind === 'web-push' || kind === 'expo' || kind === 'webhook';
}
