import {
  arePreKeysDue,
  forgetSessions,
  preparePreKeys,
  sessionPeers,
  signalChannel,
} from '@keytide/crypto-core/libsignal';
import type { Sessions } from './sessions.ts';

/**
 * Direct messages in libsignal sessions (docs/spec/direct.md): `sessions` of the client's options, from the first
 * moment of a device on. For Node and Electron; libsignal is AGPL-3.0, and nothing else needs it.
 */
export const libsignalSessions: Sessions = {
  channel: signalChannel,
  arePreKeysDue,
  preparePreKeys,
  peers: sessionPeers,
  forget: forgetSessions,
};
