/** What `keytide` tells the shell. `--help` and docs/guides/cli.md print the same list. */
export const EXIT = {
  ok: 0,
  unexpected: 1,
  usage: 2,
  locked: 3,
  unreachable: 4,
  refused: 5,
  rowsRefused: 6,
  misbehaved: 7,
  notProved: 8,
  alarm: 9,
  unsound: 10,
  interrupted: 130,
} as const;

/** One of the numbers of `EXIT`. */
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Each exit code with its meaning, in order. */
export const EXIT_MEANINGS: readonly (readonly [ExitCode, string])[] = [
  [EXIT.ok, 'done'],
  [EXIT.unexpected, 'something unexpected; KEYTIDE_DEBUG=1 shows more'],
  [EXIT.usage, 'the command, a value or a file cannot be used as given'],
  [EXIT.locked, 'wrong passphrase, or a store that is in use or damaged'],
  [EXIT.unreachable, 'the relay, or the bucket of an archive, cannot be reached'],
  [
    EXIT.refused,
    'refused: no member, no right, no valid invite, not enough approvals, or too few admins online lately',
  ],
  [EXIT.rowsRefused, 'some rows of the file were not imported; the others were'],
  [EXIT.misbehaved, 'the relay showed something that cannot be true; nothing more was sent'],
  [EXIT.notProved, 'the file of evidence proves nothing'],
  [
    EXIT.alarm,
    'the audit found what no device of yours has done, the drill shares that are not good, or too few, or the ledger what nobody may do',
  ],
  [EXIT.unsound, 'the archive is not whole, or not what was written'],
  [EXIT.interrupted, 'ended by Ctrl-C'],
];
