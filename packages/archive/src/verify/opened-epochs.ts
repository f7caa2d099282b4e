import {
  CryptoError,
  equalBytes,
  openEpoch,
  Secret,
  verifyCommitment,
  type EpochKeys,
} from '@keytide/crypto-core';
import { openAge } from '../age/age-file.ts';
import type { AgeIdentity } from '../age/hybrid.ts';
import { readEpochKeys } from '../container/epoch-keys.ts';
import { ArchiveError } from '../errors.ts';
import type { Check } from './check.ts';
import type { CheckedEpoch, CheckedGroup } from './completeness.ts';

/** An opened epoch knows all of its devices: few are kept at a time. */
const MAX_OPEN = 4;

/** The epochs of a group that an archive has the keys of. */
export interface OpenedEpochs {
  /** `'before'` for an epoch whose statement is in an archive before, `null` where there is no key. */
  keysOf(epoch: number): EpochKeys | 'before' | null;
  dispose(): void;
}

/** Reads files of keys (docs/spec/archive.md); keys that are not those of their statements are findings. */
export async function openEpochs(
  { primitives, files, findings }: Check,
  { archived: { group, before }, epochs, ring }: CheckedGroup,
  { names, identities }: { readonly names: readonly string[]; readonly identities: readonly AgeIdentity[] },
): Promise<OpenedEpochs> {
  const known = new Map<number, CheckedEpoch>(epochs.map((epoch) => [epoch.statement.epoch, epoch]));
  const firstEpoch = epochs[0]?.statement.epoch ?? 1;
  const keys = new Map<number, Secret>();
  const opened = new Map<number, EpochKeys>();

  async function readKeys(file: string): Promise<void> {
    const found = (code: 'key-mismatch' | 'not-opened', detail: string): void =>
      findings.add('decryption', code, { file, group, detail });
    try {
      const lines = readEpochKeys(openAge(files.read(file), { primitives, identities }));
      for await (const { epoch, statement, key } of lines) {
        const of = known.get(epoch)?.statement;
        try {
          if (of === undefined ? epoch >= firstEpoch : !equalBytes(of.hash, statement))
            throw new CryptoError('wrong-context', 'the key of another epoch');
          if (of !== undefined) verifyCommitment(primitives, of, key);
          // An epoch that goes on over several segments is in the files of all of them.
          keys.get(epoch)?.dispose();
          keys.set(epoch, key);
        } catch (error) {
          if (!(error instanceof CryptoError)) throw error;
          key.dispose();
          found('key-mismatch', String(epoch));
        }
      }
    } catch (error) {
      if (!(error instanceof ArchiveError)) throw error;
      found('not-opened', error.code);
    }
  }

  for (const name of names) await readKeys(name);

  return {
    keysOf(epoch) {
      const of = known.get(epoch);
      if (of === undefined) return before.size > 0 && epoch < firstEpoch ? 'before' : null;
      const key = keys.get(epoch);
      if (key === undefined) return null;
      const ready =
        opened.get(epoch) ??
        openEpoch({
          ...{ primitives, statement: of.statement, devices: ring.devicesOf(of) },
          key: Secret.own(key.use((bytes) => bytes.slice())),
        });
      // The one that was used last goes last.
      opened.delete(epoch);
      opened.set(epoch, ready);
      const [oldest] = opened;
      if (opened.size > MAX_OPEN && oldest !== undefined) {
        oldest[1].dispose();
        opened.delete(oldest[0]);
      }
      return ready;
    },
    dispose() {
      for (const key of [...keys.values(), ...opened.values()]) key.dispose();
    },
  };
}
