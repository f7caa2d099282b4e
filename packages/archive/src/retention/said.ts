import { CryptoError, equalBytes, toHex, type DeviceId } from '@keytide/crypto-core';
import {
  DirectoryError,
  parseExportStatement,
  verifyDeletionStatement,
  verifyExportStatement,
  type DirectoryState,
} from '@keytide/key-directory';
import { newFindings } from '../verify/finding.ts';
import { checkAuthority } from '../verify/membership.ts';
import type {
  LedgerAcknowledgement,
  LedgerArchive,
  LedgerAuthor,
  LedgerDeletion,
  LedgerFinding,
} from './ledger.ts';
import type { GivenArchive, LedgerDirectory, LedgerMaterial } from './material.ts';
import { CLOCKS_MS, type PolicyPeriod } from './policy-periods.ts';

type Found = (finding: LedgerFinding) => void;
type About = Partial<LedgerFinding> & Pick<LedgerFinding, 'code' | 'of'>;

/** Of what was signed. */
export function signedFinding(about: About): LedgerFinding {
  return {
    weight: 'alarm',
    basis: 'signed',
    firstSeq: null,
    lastSeq: null,
    detail: null,
    evidence: [],
    ...about,
  };
}

/** What was given as archives; those that count are sound, and by whom this log lets make them. */
export function readArchives(material: LedgerMaterial, found: Found): readonly LedgerArchive[] {
  return material.archives
    .map((given) => {
      const fault = archiveFault(material, given);
      const { manifest, bytes } = given.signed;
      const archived = manifest.groups.find(({ group }) => group === material.directory.state.everyone);
      const { id, createdMs, device, filter } = manifest;
      const of = device;
      if (fault !== null)
        found(signedFinding({ ...fault, of, evidence: fault.code === 'archive-other-log' ? [bytes] : [] }));
      return {
        ...{ id, createdMs, by: authorIn(material.directory.state, device), isWhole: given.isWhole },
        firstSeq: (archived?.before.size ?? 0) + 1,
        throughSeq: archived?.throughSeq ?? 0,
        isFiltered: filter !== null,
        counts: fault === null && filter === null && archived !== undefined,
      };
    })
    .toSorted((a, b) => a.createdMs - b.createdMs);
}

/** Why an archive does not count; the same one, given twice, counts twice. */
function archiveFault(
  { primitives, directory, log }: LedgerMaterial,
  { signed, verdict }: GivenArchive,
): Pick<LedgerFinding, 'code' | 'weight' | 'detail'> | null {
  const refused = (detail: string) => ({ code: 'archive-refused', weight: 'note', detail }) as const;
  const { membership, groups } = signed.manifest;
  if (verdict === 'unsound') return refused('unsound');
  if (membership.size > directory.size) return refused('membership-ahead');
  const state = directory.stateAt(membership.size);
  const findings = newFindings();
  checkAuthority({ primitives, findings }, signed, { approvals: [], state });
  const [first] = findings.list;
  if (first !== undefined || signed.signatures.length === 0) return refused(first?.code ?? 'bad-signature');
  const archived = groups.find(({ group }) => group === state.everyone);
  const own = archived === undefined ? null : log.rootAt(archived.throughSeq);
  const isOther = own !== null && !equalBytes(own, archived?.root ?? own);
  return isOther ? { code: 'archive-other-log', weight: 'alarm', detail: null } : null;
}

/** The export statements that a device has signed which might, the oldest first. */
export function readAcknowledgements(
  { primitives, directory, log, exported }: LedgerMaterial,
  found: Found,
): readonly LedgerAcknowledgement[] {
  const standings = standingsIn(directory);
  return distinct(exported)
    .flatMap((wire) => {
      const verified = ((): LedgerAcknowledgement | string => {
        try {
          const { device, exportedMs: saidMs } = parseExportStatement(wire);
          const { state, untilMs } = standings(device);
          const { throughSeq, root, exportedMs } = verifyExportStatement(primitives, state, wire);
          if (saidMs > untilMs + CLOCKS_MS) return 'not-permitted';
          const by = authorIn(state, device) as LedgerAuthor;
          return { by, throughSeq, exportedMs, isOfLog: isSame(log.rootAt(throughSeq), root), wire };
        } catch (error) {
          if (error instanceof DirectoryError || error instanceof CryptoError) return error.code;
          throw error;
        }
      })();
      const evidence = [wire];
      if (typeof verified === 'string') {
        // A device that this copy of the membership log does not have yet may be one.
        const weight = verified === 'unknown-device' ? 'note' : 'alarm';
        const code = 'acknowledgement-refused';
        found(signedFinding({ code, of: 'relay', weight, detail: verified, evidence }));
        return [];
      }
      const { isOfLog, by, throughSeq: lastSeq } = verified;
      if (isOfLog === false)
        found(
          signedFinding({ code: 'acknowledged-other-log', of: by.device, firstSeq: 1, lastSeq, evidence }),
        );
      return [verified];
    })
    .toSorted((a, b) => a.exportedMs - b.exportedMs);
}

/** The deletion statements that the relay has signed, in the order of the log. */
export function readDeletions(
  { primitives, directory, log, deleted }: LedgerMaterial,
  periods: readonly PolicyPeriod[],
  found: Found,
): readonly LedgerDeletion[] {
  const { org, everyone } = directory.state;
  const keys = distinct(periods.flatMap(({ policy }) => policy.relayKey ?? []));
  return distinct(deleted)
    .flatMap((wire) => {
      let code: string = 'bad-signature';
      for (const relayKey of keys)
        try {
          const said = verifyDeletionStatement(primitives, { org, relayKey }, wire);
          if (said.group !== everyone) {
            code = 'unknown-group';
            break;
          }
          const { firstSeq, lastSeq, deletedMs, root } = said;
          const isOfLog = isSame(log.rootAt(lastSeq), root);
          if (isOfLog === false)
            found(
              signedFinding({ code: 'receipt-other-log', of: 'relay', firstSeq, lastSeq, evidence: [wire] }),
            );
          return [{ firstSeq, lastSeq, deletedMs, isOfLog, wire, hash: primitives.sha256(wire) }];
        } catch (error) {
          if (!(error instanceof DirectoryError || error instanceof CryptoError)) throw error;
          ({ code } = error);
          // Perhaps by a key that the policy named before.
          if (code !== 'bad-signature') break;
        }
      found(signedFinding({ code: 'receipt-refused', of: 'relay', detail: code, evidence: [wire] }));
      return [];
    })
    .toSorted((a, b) => a.firstSeq - b.firstSeq || a.deletedMs - b.deletedMs);
}

/** The newest state by which a device might say what it has exported, and until when; the present one where there is none. */
function standingsIn(directory: LedgerDirectory) {
  const known = new Map<DeviceId, { readonly state: DirectoryState; readonly untilMs: number }>();
  const mayIn = (state: DirectoryState, device: DeviceId): boolean => {
    const found = state.devices.get(device);
    const role = found === undefined ? undefined : state.members.get(found.member)?.role;
    return found?.revokedAt === null && (role === 'admin' || role === 'exporter');
  };

  function look(device: DeviceId) {
    const { state } = directory;
    const found = state.devices.get(device);
    if (found === undefined || mayIn(state, device)) return { state, untilMs: Infinity };
    let last: DirectoryState | null = null;
    let untilMs = Infinity;
    for (let size = found.addedAt + 1; size <= directory.size; size += 1) {
      const then = directory.stateAt(size);
      if (mayIn(then, device)) last = then;
      else if (last?.size === size - 1) untilMs = then.timeMs;
    }
    return last === null ? { state, untilMs } : { state: last, untilMs };
  }

  return (device: DeviceId) => {
    const standing = known.get(device) ?? look(device);
    known.set(device, standing);
    return standing;
  };
}

function authorIn(state: DirectoryState, device: DeviceId): LedgerAuthor | null {
  const found = state.devices.get(device);
  const member = found === undefined ? undefined : state.members.get(found.member);
  return member === undefined ? null : { device, member: member.id, handle: member.handle };
}

function isSame(own: Uint8Array | null, root: Uint8Array): boolean | null {
  return own === null ? null : equalBytes(own, root);
}

function distinct(wires: readonly Uint8Array[]): readonly Uint8Array[] {
  return [...new Map(wires.map((wire) => [toHex(wire), wire])).values()];
}
