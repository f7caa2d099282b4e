/** What one relay grants and how long it waits. The protocol's own sizes are `LIMITS` of relay-protocol. */
export interface RelayLimits {
  /** How long a request may take to arrive whole; who sends it more slowly is cut off within a quarter more. */
  readonly requestMs: number;
  /** Sockets open at once; further ones are answered with 503. */
  readonly sockets: number;
  /** Sockets of one device; one more takes the place of the oldest. */
  readonly socketsOfDevice: number;
  /** Time for the first frame. */
  readonly helloMs: number;
  /** What a socket may send before its hello is accepted. */
  readonly helloBytes: number;
  /** Time between pings; a peer that shows no life between two of them is cut off. */
  readonly pingMs: number;
  /** Unsent bytes of one socket above which it gets no live frames and catches up from the log later. */
  readonly lagBytes: number;
  /** Ephemeral frames of one device: a burst of so many, then so many a second; what is more is dropped. */
  readonly ephemeralBurst: number;
  readonly ephemeralPerSecond: number;
  /** Pairwise messages of one device: a burst of so many, then so many a second; of all devices of a member, twice that. */
  readonly mailBurst: number;
  readonly mailPerSecond: number;
  /** Messages that wait for one device: of everybody, and of all devices of one member. */
  readonly mailboxMessages: number;
  readonly mailboxOfMember: number;
  /** Pre-keys that one device is given: a burst of so many, then so many a second; all devices of a member, twice that. */
  readonly preKeyBurst: number;
  readonly preKeysPerSecond: number;
  /** Frames of one socket that are read but not yet answered, in bytes; above, reading stops. */
  readonly socketIntakeBytes: number;
  /** The same over all sockets; and over all requests with more than 1 MiB. */
  readonly intakeBytes: number;
  /** What of either one organisation may have: waiting for its key, it fills nothing for the others. */
  readonly intakeBytesOfOrganisation: number;
  /** Pages of group logs that are read at once for sockets that catch up. */
  readonly catchUpReads: number;
  /** Logins and new organisations: a burst of so many, then so many a second. */
  readonly strangerBurst: number;
  readonly strangersPerSecond: number;
  /** Calls without a session from one address: a burst of so many, then so many a second. */
  readonly addressBurst: number;
  readonly addressPerSecond: number;
  /** Calls of one organisation, and its appends over sockets: each a burst of so many, then so many a second; a device an eighth. */
  readonly organisationBurst: number;
  readonly organisationPerSecond: number;
  readonly challengeMs: number;
  /** How long an access token is good. */
  readonly accessMs: number;
  /** How long a session lasts from its login on, however often it is refreshed. */
  readonly sessionMs: number;
  /** Sessions of one subject; one more takes the place of the oldest. */
  readonly sessionsOfSubject: number;
  /** Time between two looks whether sessions of connected devices were ended elsewhere; after three without an answer, nothing is pushed. */
  readonly sessionLookMs: number;
  /** Of several relays on one database: time between two heartbeats of the bus; after three that did not come back, it is silent. */
  readonly beatMs: number;
  /** Time between two looks how far group logs go, in case a wake-up was lost; while the bus is silent, `beatMs`. */
  readonly headsMs: number;
  /** How long a device waits before it replaces its access request. */
  readonly accessRequestMs: number;
  /** Access requests of one device: a burst of so many, then so many a second; of all devices of a member, twice that. */
  readonly accessBurst: number;
  readonly accessPerSecond: number;
  /** Log-outs of other sessions by one device: a burst of so many, then so many a second; of all devices of a member, twice that. */
  readonly endBurst: number;
  readonly endsPerSecond: number;
  /** Organisations whose directory is kept in memory while none of their devices is connected. */
  readonly idleOrganisations: number;
  /** Documents of one organisation, those that were removed included. */
  readonly documents: number;
  /** Bytes of the blobs of one organisation; each counts as 64 KiB at least. */
  readonly blobBytes: number;
  /** The same of all devices of one member, whole or not. */
  readonly blobBytesOfMember: number;
  /** Between two looks at who has to be told that there is something new. */
  readonly pushTickMs: number;
  /** How long what is stored waits before anybody is told: who is just coming back needs no word, and one does for many. */
  readonly pushGraceMs: number;
  /** How long a device is not told again after it was told and has come. */
  readonly pushIntervalMs: number;
  /** The same for one that has not come. */
  readonly pushRepeatMs: number;
  /** How long a push service has to answer. */
  readonly pushTimeoutMs: number;
  /** Devices that are being told at once. */
  readonly pushesAtOnce: number;
  /** After the database was put back: how long what is new in membership logs waits for what is lost. */
  readonly settleMs: number;
  /** How long an upload may take, from its beginning on, before its blob is forgotten. */
  readonly uploadMs: number;
}

/** The limits of a relay that is told nothing else. */
export const DEFAULT_LIMITS: RelayLimits = {
  requestMs: 20_000,
  sockets: 10_000,
  socketsOfDevice: 16,
  helloMs: 5_000,
  helloBytes: 16_384,
  pingMs: 30_000,
  lagBytes: 1_048_576,
  ephemeralBurst: 20,
  ephemeralPerSecond: 5,
  mailBurst: 200,
  mailPerSecond: 5,
  mailboxMessages: 1_000,
  mailboxOfMember: 200,
  preKeyBurst: 200,
  preKeysPerSecond: 1,
  socketIntakeBytes: 2_097_152,
  intakeBytes: 67_108_864,
  intakeBytesOfOrganisation: 16_777_216,
  catchUpReads: 2,
  strangerBurst: 10_000,
  strangersPerSecond: 500,
  addressBurst: 2_000,
  addressPerSecond: 100,
  organisationBurst: 50_000,
  organisationPerSecond: 2_000,
  challengeMs: 60_000,
  accessMs: 900_000,
  sessionMs: 2_592_000_000,
  sessionsOfSubject: 16,
  sessionLookMs: 1_000,
  beatMs: 1_000,
  headsMs: 15_000,
  accessRequestMs: 1_000,
  accessBurst: 20,
  accessPerSecond: 1 / 60,
  endBurst: 20,
  endsPerSecond: 1 / 10,
  idleOrganisations: 1_000,
  documents: 100_000,
  blobBytes: 107_374_182_400,
  blobBytesOfMember: 26_843_545_600,
  pushTickMs: 1_000,
  pushGraceMs: 3_000,
  pushIntervalMs: 60_000,
  pushRepeatMs: 900_000,
  pushTimeoutMs: 10_000,
  pushesAtOnce: 32,
  settleMs: 60_000,
  uploadMs: 604_800_000,
};
