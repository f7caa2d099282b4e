import type { Random } from '@keytide/crypto-core';
import type { IdentityProvider } from '@keytide/relay-protocol';
import type { BlobStore } from './blob-store.ts';
import type { Clock } from './clock.ts';
import type { KeyWrapper } from './key-wrapper.ts';
import type { RelayLimits } from './limits.ts';
import type { Log } from './log-event.ts';
import type { PushOptions } from './push/senders.ts';
import type { SessionsToEnd } from './session-store.ts';
import type { DatabaseOptions } from './sql/database-options.ts';
import type { TlsFiles } from './tls-files.ts';

/** How to start a relay. */
export interface RelayOptions {
  readonly database: DatabaseOptions;
  /** The address to listen on. Default 127.0.0.1. */
  readonly host?: string;
  /** Default 8080; 0 for any free one. */
  readonly port?: number;
  /** The origin under which clients reach the relay, when that is not host and port. Logins are bound to it. */
  readonly publicUrl?: string;
  /**
   * How many proxies of the operator's own stand before it, each adding the address that it saw to `X-Forwarded-For`: by
   * that address strangers are told apart. Default 0: by the address of the connection.
   */
  readonly trustedProxies?: number;
  /** To speak TLS in this process; without it, something in front of the relay does. */
  readonly tls?: TlsFiles;
  /** The origins of web pages that may use this relay, such as `https://app.example`. Default: none. */
  readonly origins?: readonly string[];
  /**
   * Wraps the data keys of organisations, instead of the key file. For what another one wrapped, a `keyRing` with it:
   * for the key file's `openDataKeyFile`.
   */
  readonly keyWrapper?: KeyWrapper;
  /** Where the bytes of attachments are, instead of files; what was in files before is not moved. */
  readonly blobStore?: BlobStore;
  readonly clock?: Clock;
  readonly random?: Random;
  /** Gets every log event. Default: one JSON line each on standard output. */
  readonly log?: Log;
  /** How devices are told while they are not connected. Default: not at all. */
  readonly push?: PushOptions;
  /** Who has to vouch for whoever founds an organisation or uses an invite. Default: nobody. */
  readonly identity?: IdentityProvider;
  /** Where to differ from `DEFAULT_LIMITS`. */
  readonly limits?: Partial<RelayLimits>;
  /** Gets what an HTTP answer has that its route does not declare. For tests: to look costs time. */
  readonly undeclared?: (what: string) => void;
}

/** A relay that is listening. */
export interface Relay {
  /** Where it listens, such as `http://127.0.0.1:8080`. */
  readonly url: string;
  /** The origin that logins are bound to. */
  readonly name: string;
  /** Whether it takes new sockets and its database answers. */
  isReady(): Promise<boolean>;
  /** What it counts of itself, in the text format of Prometheus. */
  metrics(): Promise<string>;
  /**
   * Reads the certificate and its key again, for connections from now on.
   * @throws RelayError `tls-unusable`: those of before stay
   */
  reload(): Promise<void>;
  /**
   * Has the same key wrapped and unwrapped by another wrapper from now on, as by one with another token.
   * @throws RelayError `data-key-missing` for another key, or when something that is stored is wrapped by none of its;
   * `data-key-unusable`, `key-service-failed`, `key-service-refused`: the one of before stays
   */
  useKeyWrapper(wrapper: KeyWrapper): Promise<void>;
  /**
   * Has devices told with other keys from now on, in the same ways.
   * @throws TypeError for what cannot be used, and for other ways: those of before stay
   */
  usePush(push: PushOptions): void;
  /**
   * Lets go of everybody in good order, then closes: no new sockets, the open ones a few at a time over `spreadMs`,
   * each answered what it asked, and every request answered. Takes as long as the slowest answer.
   */
  drain(spreadMs: number): Promise<void>;
  /**
   * Ends sessions: when it resolves, nothing more reaches them. For who runs the relay; `killSessions` does it from outside.
   * @throws RelayError `database-failed`
   */
  endSessions(which: SessionsToEnd): Promise<void>;
  /** Forgets at once what is over of group logs and attachments: what it otherwise does now and then. Resolves to whether all of it went. */
  forget(): Promise<boolean>;
  /** Finishes what is under way, closes the sockets as 'going away' and the database. Once is enough. */
  close(): Promise<void>;
}
