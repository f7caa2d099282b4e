import type { ShareVerdict } from './given-shares.ts';

/** What a verdict on a share means, for people. */
export function shareText(verdict: ShareVerdict['verdict']): string {
  return TEXTS[verdict] ?? verdict;
}

const TEXTS: Readonly<Partial<Record<ShareVerdict['verdict'], string>>> = {
  good: 'good',
  'mistyped-share': 'mistyped, or no share',
  'wrong-context': 'of another set',
  'poisoned-share': 'POISONED: not what this holder was given',
  'duplicate-share': 'given before',
  'bad-share-index': 'of no holder of this set',
  'unsupported-version': 'of a newer version',
};
