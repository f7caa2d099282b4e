import { equalBytes } from '@keytide/crypto-core';
import { MAX_AHEAD_MS } from '../admission.ts';
import { DirectoryError } from '../errors.ts';
import type { Policy } from '../policy.ts';
import { openMapNote, settle, type Anchor } from './anchor.ts';
import { cosignersOf } from './cosigners.ts';
import { requireConsistent } from './in-log.ts';
import type { MapCheckpoint, ProofTools } from './source.ts';

/**
 * One step of trust: from what is believed to what a relay shows now. The new checkpoint continues the old log, as
 * many admins as the old policy asks for have cosigned it, of those who were admins at the old checkpoint and are at
 * the new one, and as many as the new policy asks for. Nothing is replayed (docs/spec/proof-mode.md).
 * @param nowSeconds seconds since 1970; never less than a time that the holder has seen signed
 * @param latestSeconds up to when a cosignature counts: an hour ahead of the holder's clock, which a time that was
 *   seen signed must not carry on
 * @throws DirectoryError `unwitnessed`: nothing is wrong, too few have cosigned, or the policy asks nobody to;
 *   `forked`, `rolled-back` with both notes as evidence, the older one first; `bad-proof`, `bad-signature`,
 *   `malformed`, `not-stored` for answers that prove nothing
 */
export async function advanceAnchor(
  tools: ProofTools,
  anchor: Anchor,
  note: Uint8Array,
  nowSeconds: number,
  latestSeconds: number = nowSeconds + MAX_AHEAD_MS / 1000,
): Promise<Anchor> {
  const { parsed, checkpoint } = openMapNote(note);
  await requireContinuation(tools, anchor, checkpoint, note);
  const under = [anchor.checkpoint, checkpoint];
  const old = ruleOf(anchor);
  const times = { nowSeconds, latestSeconds };
  const believers = await cosignersOf(tools, parsed, { ...old, under, known: anchor.cosigners, ...times });
  if (believers.length < old.needed) throw unwitnessed();
  const next = await settle(tools, note, believers, anchor);
  const present = ruleOf(next);
  const search = { ...present, under: [checkpoint], known: believers, ...times };
  const cosigners = await cosignersOf(tools, parsed, search);
  if (cosigners.length < present.needed) throw unwitnessed();
  return { ...next, cosigners };
}

/** How many admins of an anchor have to cosign, and how lately. @throws DirectoryError `unwitnessed` where nobody has to */
function ruleOf({ policy, organisation }: Pick<Anchor, 'policy' | 'organisation'>): Rule {
  const { witnesses } = policy;
  if (witnesses === undefined)
    throw new DirectoryError(
      'unwitnessed',
      'the policy asks for no witnesses, so nothing less than a replay will do',
    );
  const needed = Math.min(witnesses.needed, organisation.admins.length);
  return { needed, maxAgeSeconds: witnesses.maxAgeSeconds };
}

type Rule = NonNullable<Policy['witnesses']>;

async function requireContinuation(
  tools: ProofTools,
  { checkpoint: old, note: oldNote }: Anchor,
  shown: MapCheckpoint,
  note: Uint8Array,
): Promise<void> {
  if (shown.origin !== old.origin)
    throw new DirectoryError('wrong-organisation', 'a checkpoint of another log');
  const evidence = [oldNote, note];
  if (shown.size < old.size)
    throw new DirectoryError('rolled-back', 'an older checkpoint than was seen', { evidence });
  if (shown.size > old.size) return await requireConsistent(tools, old, shown);
  if (!equalBytes(shown.root, old.root) || !equalBytes(shown.mapRoot, old.mapRoot))
    throw new DirectoryError('forked', 'two checkpoints of one size', { evidence });
}

function unwitnessed(): DirectoryError {
  return new DirectoryError('unwitnessed', 'too few admins have cosigned this checkpoint lately');
}
