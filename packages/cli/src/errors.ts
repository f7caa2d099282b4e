import type { ExitCode } from './exit-codes.ts';

/** Every code a `CliError` can carry; `--json` prints it. */
export type CliErrorCode =
  | 'usage' // an argument or option that makes no sense
  | 'no-organisation' // nothing under this home yet
  | 'wiped' // the device of this home was told to destroy what it held
  | 'no-passphrase' // nobody to ask and none given
  | 'passphrase-too-short'
  | 'passphrases-differ' // the second typing was another one
  | 'file-unreadable' // missing, a folder, too large
  | 'not-there' // an archive, or the folder that something is to go into, at a path where nothing is
  | 'bad-key' // a file without an identity of age
  | 'not-permitted' // to approve an archive: no admin, or the one who has made it
  | 'bad-declaration' // what is to be published is not declared as it should be
  | 'not-a-requests-file' // its first line does not name the columns
  | 'unknown-request' // no request, or more than one, with this id
  | 'unknown-member' // no member, or more than one, with this name
  | 'unknown-device' // no device, or more than one, with this id
  | 'unknown-request' // no access request, or more than one, with this id waits
  | 'unknown-invite' // no open invite, or more than one, with this id
  | 'other-numbers' // that are proposed, than those that this device counts
  | 'other-number' // the safety number of the other person is another one
  | 'file-exists' // a file that would be written is there already
  | 'no-checkpoint' // the relay has signed none that this device knows
  | 'proves-nothing' // a file of evidence that does not show what it is said to show
  | 'unsound-archive' // an archive that numbers are to be made from is not sound
  | 'previous-unsound' // the archive that another is to go on from is not sound
  | 'place-in-use' // another process writes an archive there
  | 'agent-running' // another agent works on this device
  | 'archive-gone' // the archive to go on from is not where it was made
  | 'destination-gone' // the folder of an agent's destination is not there
  | 'same-destination' // two destinations of an agent are one place
  | 'config-invalid' // the configuration of an agent; the message names its keys
  | 'secret-unusable' // a passphrase that is not there, or that others may read
  | 'login-refused' // the relay does not let this recovery key in
  | 'not-a-set' // a file that is no set of shares
  | 'altered-set' // its signature is not that of who dealt it
  | 'foreign-set' // of another organisation, or dealt by no admin of this one
  | 'other-key' // a set, or shares, of another key than expected
  | 'too-few-shares' // that are good
  | 'not-confirmed' // nobody to ask, and no --yes
  | 'unreachable' // the relay refuses connections, or did not answer in time
  | 'queued' // written here, not yet at the relay
  | 'interrupted'; // Ctrl-C, or a request to terminate

/** The one error class of this package: what is wrong, what to do next, and the exit code. Never holds content or secrets. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly code: CliErrorCode;
  /** One sentence a person can act on. */
  readonly next: string;
  readonly exitCode: ExitCode;

  constructor(code: CliErrorCode, exitCode: ExitCode, message: string, next: string) {
    super(message);
    this.code = code;
    this.exitCode = exitCode;
    this.next = next;
  }
}
