import { assembleNote, parseNote, type NoteSignature } from '@keytide/key-directory/verify';
import type { HostileRelay } from './relay.ts';

/**
 * Shows one device (or the holder of an invite) another checkpoint of the membership log: `rewrite` gets the relay's
 * newest signed note at each read and answers what stands in its place, `null` for none.
 *
 * The attacker needs nothing to withhold or repeat notes, and the relay's key to sign new ones. A sound client takes
 * a note only from the key that the log's policy names, keeps the newest, compares it with its own replay, and turns
 * a contradiction into a file for `verifyForkProof`.
 */
export function forgeCheckpoint(
  relay: HostileRelay,
  victim: string,
  rewrite: (note: Uint8Array) => Uint8Array | null,
): () => void {
  return relay.attack({
    victim,
    async call(call, forward) {
      const answer = await forward(call);
      if (!isCheckpoint(call.path) || !(answer.body instanceof Uint8Array)) return answer;
      const body = rewrite(answer.body);
      return body === null
        ? { status: 404, body: { code: 'not-found', message: '' } }
        : { status: 200, body };
    },
  });
}

/**
 * Takes signatures off the checkpoints that one device is shown: all that `isStripped` says, by default all but the
 * log's own, which leaves a log without witnesses. A note without any signature is none, so one that would have none
 * gets a line in a name that nobody knows.
 *
 * The attacker needs nothing. A sound client counts what is there and takes nothing for signed that is not.
 */
export function stripCheckpointSignatures(
  relay: HostileRelay,
  victim: string,
  isStripped: (signature: NoteSignature) => boolean = ({ name }) => !name.startsWith('keytide-log/'),
): () => void {
  return forgeCheckpoint(relay, victim, (note) => {
    const { text, signatures } = parseNote(note);
    const left = signatures.filter((signature) => !isStripped(signature));
    const nobodys = signatures.slice(0, 1).map((signature) => ({ ...signature, name: 'nobody' }));
    return assembleNote(text, left.length > 0 ? left : nobodys);
  });
}

/** Whether this is where checkpoints are read, with or without witnesses, the newest or an earlier one. */
function isCheckpoint(path: string): boolean {
  return /\/log\/checkpoint(\/witnessed)?(\?size=\d+)?$/.test(path);
}
