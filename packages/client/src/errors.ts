/** Every code a `ClientError` can carry; `docs/spec/errors.md` says what each means and what a person can do. */
export type ClientErrorCode =
  | 'offline' // the relay cannot be reached now; a retry helps
  | 'relay-refused' // the relay said no; `relayCode` carries its code
  | 'relay-misbehaved' // the relay answered with something that is not the protocol
  | 'relay-forked' // the relay showed two truths; `evidence` carries the signed bytes
  | 'update-needed' // the membership log has something that this version does not know
  | 'not-a-member' // this device is not, or no longer, in the organisation
  | 'not-ready' // no epoch key yet and the relay is out of reach
  | 'unwitnessed' // too few admins have cosigned the membership log lately
  | 'replay-needed' // proofs are not enough here: the membership log has to be replayed
  | 'closed' // the client was closed
  | 'wiped' // this device was told to destroy what it held, and has
  | 'lease-over' // the relay keeps no share any more to open this device with
  | 'locked' // nothing was heard of the relay for the unlock lease: open the store again
  | 'no-organisation' // this store holds no organisation
  | 'handle-needed' // an invite for a new member, and no name was given
  | 'identity-needed' // the relay asks who one is, and the application has no way to say it
  | 'already-joined' // this store already holds an organisation
  | 'invalid-value' // the value does not fit the collection's schema
  | 'attachment-gone' // the relay does not have this attachment, or not any more
  | 'cancelled' // by the signal that the application gave
  | 'source-changed' // the content of an attachment is not what it was when its upload began, or the log while it was exported
  | 'version-conflict' // somebody else has written this document since
  | 'unknown-record' // no record with this id, or no longer
  | 'unknown-member' // no current member with this id
  | 'unreachable' // no device of that member has a key to seal to
  | 'mailbox-full' // so many direct messages wait for that member that no more do
  | 'not-allowed' // the collection's rules let others do this, not this member
  | 'retention-too-long' // a collection is declared to stay longer than the policy to be allows
  | 'unknown-request' // no access request with this id waits for an answer
  | 'beyond-entitlement' // of what was asked for, nothing may be given any more
  | 'too-large' // over the size of one message
  | 'sessions-needed' // this device holds sessions, and was opened without them
  | 'storage-full' // no room for more on this device
  | 'store-in-use' // another tab has this device's store open
  | 'unsupported-runtime' // this runtime lacks what the adapter needs
  | 'store-damaged'; // a local file is damaged beyond its torn tail

/** The one error class of this package. `code` is stable; the message is for people and never holds content or keys. */
export class ClientError extends Error {
  override readonly name = 'ClientError';
  readonly code: ClientErrorCode;
  /** The relay's own code, for `relay-refused`. */
  readonly relayCode: string | null;
  /** The rule that the relay names with its code, or `null`. */
  readonly relayReason: string | null;
  /** Signed bytes that prove misbehaviour, for `relay-forked` and `relay-misbehaved`, or what there is, for `unwitnessed`; docs/spec/directory-service.md. */
  readonly evidence: readonly Uint8Array[];

  constructor(
    code: ClientErrorCode,
    message: string,
    options: {
      cause?: unknown;
      relayCode?: string;
      relayReason?: string | null;
      evidence?: readonly Uint8Array[];
    } = {},
  ) {
    super(message, 'cause' in options ? { cause: options.cause } : {});
    this.code = code;
    this.relayCode = options.relayCode ?? null;
    this.relayReason = options.relayReason ?? null;
    this.evidence = options.evidence ?? [];
  }
}
