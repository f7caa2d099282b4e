import type { LedgerFindingCode, LedgerState } from './ledger.ts';

/** What became of a part of the log, in words. */
export const STATE_WORDS: Readonly<Record<LedgerState, string>> = {
  kept: 'kept until it is exported',
  exported: 'exported, and the relay was not told',
  released: 'exported: goes when it is due',
  waived: 'goes when it is due, exported or not',
  deleted: 'deleted, as the relay has signed',
  gone: 'deleted, as the relay says',
};

/** What a finding means. */
export const FINDING_WORDS: Readonly<Record<LedgerFindingCode, string>> = {
  'deleted-early': 'the relay has signed that it deleted this before any policy let it',
  'deleted-unreleased':
    'the relay has signed that it deleted this, and nobody had said that they exported it',
  'deleted-unsaid': 'the relay does not have this any more, and has not signed that it deleted it',
  'deleted-unexported': 'this was deleted as the policy says, and nobody has said that they exported it',
  'still-there': 'the relay has signed that it deleted this, and still has it',
  'receipt-other-log': 'the relay has signed that it deleted another log than this device has',
  'receipt-refused': 'the relay shows as its own word what it has not signed for this log',
  'acknowledged-other-log': 'this device has signed that it exported another log than there is',
  'acknowledgement-refused': 'the relay shows as a word of members what none of them has signed who might',
  'archive-other-log': 'an archive of another log than this device has',
  'archive-refused': 'an archive that does not count',
  overdue: 'the relay has this for longer than the policy says',
};
