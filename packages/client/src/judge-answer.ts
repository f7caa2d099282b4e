import {
  CryptoError,
  openAccessAnswer,
  parseAccessAnswer,
  toHex,
  verifyAccessAnswer,
  type AccessAnswer,
  type DeviceId,
  type GrantedKey,
  type Primitives,
} from '@keytide/crypto-core';
import type { DirectoryState } from '@keytide/key-directory';
import { grantAt, type GrantRecord, type WireAt } from './entitlement.ts';
import type { OwnRequest } from './own-request.ts';
import { adminOf } from './witness-demand.ts';

/**
 * Why an answer is not taken. `unknown-request`: to nothing that this device waits for: made up, replayed, or another
 * device's. `former-admin`: its author is no admin now. `other-admin`: the log names another as who granted it.
 * `beyond-entitlement`: keys that were not asked for, or that the log does not name. `commitment-mismatch`: a key that
 * is not the one of its epoch. `answer-withheld`: the log has the grant and the relay does not give it. Otherwise as
 * CryptoError has it.
 */
export type AnswerRejection =
  | 'unknown-request'
  | 'former-admin'
  | 'other-admin'
  | 'beyond-entitlement'
  | 'commitment-mismatch'
  | 'answer-withheld'
  | 'bad-signature'
  | 'wrong-context'
  | 'decryption-failed'
  | 'malformed'
  | 'too-large'
  | 'unsupported-version';

/** What an answer is to this device. `waiting`: its entry is not in the log yet. The keys are the caller's to dispose. */
export type AnswerVerdict =
  | { readonly kind: 'granted'; readonly author: DeviceId; readonly keys: readonly GrantedKey[] }
  | { readonly kind: 'refused'; readonly author: DeviceId; readonly reason: string }
  | { readonly kind: 'waiting' }
  | { readonly kind: 'rejected'; readonly code: AnswerRejection };

interface AnswerContext {
  readonly primitives: Primitives;
  readonly state: DirectoryState;
  readonly wireAt: WireAt;
  readonly own: OwnRequest;
}

/** Judges an answer by this device's own log and nothing else; whether the keys open their commitments is still to be checked. */
export function judgeAnswer(context: AnswerContext, wire: Uint8Array): AnswerVerdict {
  const { primitives, state, own } = context;
  try {
    const claimed = parseAccessAnswer(wire);
    if (toHex(claimed.request) !== own.id) return rejected('unknown-request');
    const author = state.devices.get(claimed.author);
    if (author === undefined || adminOf(state, author.id) === null) return rejected('former-admin');
    const answer = verifyAccessAnswer(primitives, primitives.verifier(author.signingPublicKey), wire);
    return answer.verdict === 'granted' ? judgeGrant(context, answer) : judgeRefusal(context, answer);
  } catch (error) {
    if (error instanceof CryptoError) return rejected(error.code as AnswerRejection);
    throw error;
  }
}

/** The entry of the log that grants this request; `null` for none. */
export function grantOf({ primitives, state, wireAt, own }: AnswerContext): GrantRecord | null {
  const index = state.grants.get(own.id);
  return index === undefined ? null : grantAt(primitives, wireAt, index);
}

function judgeGrant(context: AnswerContext, answer: AccessAnswer): AnswerVerdict {
  const { own } = context;
  const { author } = answer;
  const record = grantOf(context);
  if (record === null) return { kind: 'waiting' };
  if (record.author !== author) return rejected('other-admin');
  if (record.device !== own.request.device) return rejected('wrong-context');
  const opened = open(context, answer);
  const keys = opened.verdict === 'granted' ? opened.keys : [];
  const isAskedFor = ({ epoch }: GrantedKey): boolean =>
    [record, own.request].every(({ firstEpoch, lastEpoch }) => epoch >= firstEpoch && epoch <= lastEpoch);
  if (keys.every(isAskedFor)) return { kind: 'granted', author, keys };
  for (const { key } of keys) key.dispose();
  return rejected('beyond-entitlement');
}

function judgeRefusal(context: AnswerContext, answer: AccessAnswer): AnswerVerdict {
  const opened = open(context, answer);
  const reason = opened.verdict === 'refused' ? opened.reason : '';
  return { kind: 'refused', author: answer.author, reason };
}

function open({ primitives, own }: AnswerContext, answer: AccessAnswer): ReturnType<typeof openAccessAnswer> {
  const decapsulator = own.seed.use((seed) => primitives.decapsulator(seed));
  return openAccessAnswer(primitives, decapsulator, answer);
}

function rejected(code: AnswerRejection): AnswerVerdict {
  return { kind: 'rejected', code };
}
