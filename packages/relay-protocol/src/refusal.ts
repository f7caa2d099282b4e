/** Why a relay refuses, in `refused` frames and in HTTP errors alike. `docs/spec/sessions.md` lists what to do. */
export const REFUSAL_CODES = [
  'malformed', // the bytes are not what the specification says
  'too-large', // over a size limit
  'unsupported-version', // another protocol version
  'rate-limited', // too fast; wait and repeat
  'unavailable', // the relay cannot answer now; the outcome is unknown, repeat with the same ids
  'not-found', // no such route, or a tile or a checkpoint that the log does not have
  'hello-timeout', // the first frame did not come in time
  'login-refused', // the challenge was not met, whatever the reason
  'identity-required', // nobody, or not the one who has to, vouches for whoever comes for the first time; `reason` says which
  'session-ended', // no such session, or it has expired; log in again
  'not-a-member', // the session's subject is not active in the membership log, or may not do this
  'head-moved', // the membership log has grown; read it and build the entry again
  'entry-refused', // the membership rules refuse the entry; `reason` says which
  'timeline-changed', // a place in a log of another timeline than the relay's: it was put back from a backup
  'unknown-group', // not a group of this organisation
  'unknown-epoch', // an envelope of an epoch that was never announced
  'wrong-group', // an envelope or statement made for another group or organisation
  'wrong-author', // a statement whose author is not the device of this session
  'epoch-taken', // another statement has this epoch number; adopt it
  'stale-directory', // a statement made on another membership log or other sealing records than the relay's; read both and make a new one
  'statement-refused', // a statement that every receiver would refuse
  'message-id-reused', // the same message id came with other bytes
  'not-a-recipient', // a box for a device that is not active
  'no-box', // no box for this device in this epoch
  'no-pre-keys', // no pre-keys of that device that are in force
  'no-checkpoint', // no checkpoint that a device has cosigned
  'version-conflict', // a document has another version than the one that was to be replaced
  'quota-exceeded', // the organisation keeps as much as it may
  'no-share', // no such unlock share, or not any more
  'wrong-proof', // not the proof that this unlock share takes; `reason` says how many attempts are left
  'unknown-request', // no access request with this id, or not of this device; it was answered and taken, replaced, or is over
  'no-blob', // no such blob of this organisation, or not whole yet, or its time is over
  'blob-taken', // another device, or another size, has this id
  'wrong-offset', // bytes beyond the end of what is there of a blob
  'push-refused', // not a way, or not a place, by which this relay tells devices; `reason` says which
  'record-refused', // a sealing record that may not follow those of its device; `reason` says why
] as const;

/** One of `REFUSAL_CODES`. */
export type RefusalCode = (typeof REFUSAL_CODES)[number];

/** Tells a known code from text of a newer relay. */
export function isRefusalCode(text: string): text is RefusalCode {
  return (REFUSAL_CODES as readonly string[]).includes(text);
}
