import { CryptoError, equalBytes, MAX_QUORUM_SET_BYTES, type Primitives } from '@keytide/crypto-core';
import { judgeArchiveKeySet, type ArchiveKeySet, type DirectoryState } from '@keytide/key-directory';
import { NAMES } from '../container/names.ts';
import { readFile } from '../container/read-file.ts';
import { withFile, type Check } from './check.ts';

const level = 'structure';

/** Whether the set of shares is one that the membership log bears out: who opens the archive decades later goes by it. */
export async function checkKeySet(check: Check, states: readonly DirectoryState[]): Promise<void> {
  const { files, findings, primitives } = check;
  const file = NAMES.archiveKeySet;
  if (states.length === 0) return;
  const wire = await withFile(check, { level, file }, () => readFile(files, file, MAX_QUORUM_SET_BYTES));
  if (wire === null) return;
  try {
    judgeByStates(primitives, states, wire);
  } catch (error) {
    if (!(error instanceof CryptoError)) throw error;
    findings.add(level, 'key-set-refused', { file, detail: error.code });
  }
}

/** Judges a set by a log, of which `states` has the state after each entry. @throws as `judgeArchiveKeySet` */
export function judgeByStates(
  primitives: Primitives,
  states: readonly DirectoryState[],
  wire: Uint8Array,
): ArchiveKeySet {
  const stateAt = (size: number): DirectoryState => states[size - 1] as DirectoryState;
  const state = stateAt(states.length);
  return judgeArchiveKeySet(primitives, { state, stateAt, archiveKeys: keysIn(states) }, wire);
}

function keysIn(states: readonly DirectoryState[]): Uint8Array[] {
  const keys: Uint8Array[] = [];
  for (const { policy } of states) {
    const { archiveKey } = policy;
    const last = keys.at(-1);
    if (archiveKey !== undefined && (last === undefined || !equalBytes(last, archiveKey)))
      keys.push(archiveKey);
  }
  return keys;
}
