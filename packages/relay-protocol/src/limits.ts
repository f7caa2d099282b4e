/** The one protocol version of this build; first element of `hello` and `welcome`. */
export const PROTOCOL_VERSION = 1;

/** Sizes every relay and client agrees on (docs/spec/frames.md). Bytes unless the name says otherwise. */
export const LIMITS = {
  /** One message envelope. */
  envelopeBytes: 262_144,
  /** One epoch statement. */
  statementBytes: 1_048_576,
  /** One sealed box; an X-Wing box of a 32-byte key has 1168. */
  boxBytes: 4096,
  /** Boxes in one announcement. */
  boxes: 10_000,
  /** One ephemeral frame. */
  ephemeralBytes: 4096,
  /** Envelopes in one append. */
  appendItems: 500,
  /** A `hello`, `append`, `subscribe`, `ping` or `ephemeral` frame. */
  frameBytes: 1_048_576,
  /** An `announce` frame, and therefore the largest frame a relay reads. */
  announceFrameBytes: 16_777_216,
  /** The largest frame a client reads. */
  relayFrameBytes: 4_194_304,
  /** What names a relay's timeline. */
  timelineBytes: 16,
  /** How long a poll of a group's log waits at most. */
  pollSeconds: 25,
  /** A session token, in characters. */
  tokenCharacters: 256,
  /** One membership log entry. */
  entryBytes: 65_536,
  /** Entries in one page of the membership log. */
  logPageEntries: 500,
  /** A page of the membership log ends at the entry that passes this size. */
  logPageBytes: 1_048_576,
  /** A checkpoint with its cosignatures. */
  noteBytes: 131_072,
  /** A checkpoint that a device hands in with its cosignature. */
  cosignedNoteBytes: 16_384,
  /** Checkpoints in one answer about who cosigned what. */
  cosignedNotes: 64,
  /** The proof of one lookup in the directory. */
  lookupBytes: 32_768,
  /** One signed sealing record. */
  sealingRecordBytes: 2048,
  /** One pairwise message. */
  mailBytes: 65_536,
  /** Pairwise messages in one page, and in one confirmation. */
  mailPage: 100,
  /** A pre-key bundle, or a pair of one-time pre-keys. */
  preKeyBytes: 4096,
  /** Pairs of one-time pre-keys that a relay keeps of one device. */
  oneTimePreKeys: 100,
  /** Sealing records in one page. */
  sealingPageRecords: 512,
  /** The body of one document of an organisation, or of a system value. */
  documentBytes: 65_536,
  /** Documents in one page. */
  documentPage: 100,
  /** The receipt of a wipe. */
  exportStatementBytes: 512,
  retentionDays: 1000,
  deletions: 100,
  wipeReceiptBytes: 256,
  /** Receipts in one page. */
  wipeReceiptPage: 1000,
  /** One signed access request. */
  accessRequestBytes: 2048,
  /** Access requests in one page. */
  accessPageRequests: 256,
  /** One signed answer to an access request. */
  accessAnswerBytes: 42_416,
  /** Answers to one access request: one of each admin's device, the first ones. */
  accessAnswers: 16,
  /** Where a device is told that there is something new: a URL or a token, in ASCII. */
  pushTargetBytes: 1024,
  /** Devices with wrong attempts at their unlock shares, in one answer. */
  unlockAttemptsPage: 256,
  /** One blob: more than the ciphertext of the largest attachment. */
  blobBytes: 2_199_023_255_552,
  /** What is sent or read of a blob at once: 16 sealed chunks of an attachment. */
  blobPieceBytes: 1_048_832,
} as const;
