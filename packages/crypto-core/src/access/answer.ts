import { BOX_OVERHEAD_BYTES, openBox, sealBox } from '../box.ts';
import { copyBytes } from '../bytes.ts';
import { decodeCbor, encodeCbor, type CborValue } from '../cbor.ts';
import { readArray, readBytes, readKnown, readText, readUint } from '../cbor-fields.ts';
import { CryptoError } from '../errors.ts';
import { deviceId, deviceIdOf, idBytes, type DeviceId } from '../ids.ts';
import { EPOCH_KEY_BYTES } from '../key-commitment.ts';
import { labelled } from '../labels.ts';
import type { Decapsulator, Primitives, Signer, Verifier } from '../primitives.ts';
import { Secret } from '../secret.ts';
import { signBytes, verifyBytes } from '../sign.ts';
import { MAX_REQUESTED_EPOCHS, type AccessRequest } from './request.ts';

const VERSION = 1;
const SUITE = 1;
const MAX_EPOCH = 2 ** 32 - 1;
const VERDICTS = ['granted', 'refused'] as const;
/** `[epoch, key]` takes 40 bytes at most. */
const MAX_CONTENT_BYTES = 64 + 40 * MAX_REQUESTED_EPOCHS;

/** The longest answer that is read: about 42 KiB, for the keys of 1,024 epochs. */
export const MAX_ACCESS_ANSWER_BYTES: number = BOX_OVERHEAD_BYTES + MAX_CONTENT_BYTES + 256;

/** The longest reason of a refusal, in UTF-16 units. */
export const MAX_REFUSAL_CHARACTERS = 500;

/** What an answer says. */
export type AccessVerdict = (typeof VERDICTS)[number];

/** The key of one epoch. */
export interface GrantedKey {
  readonly epoch: number;
  readonly key: Secret;
}

/** An answer as read from the wire; the relay sees this much. Nothing in it is trustworthy before `verifyAccessAnswer`. */
export interface AccessAnswer {
  readonly verdict: AccessVerdict;
  /** Hash of the request, 32 bytes. */
  readonly request: Uint8Array;
  readonly author: DeviceId;
  /** Milliseconds since 1970, by the author's clock. */
  readonly createdMs: number;
  /** For the one-use key of the request. */
  readonly box: Uint8Array;
}

/** What the box of an answer holds: keys sorted by epoch, each epoch once, or why not, in the author's words. */
export type OpenedAccessAnswer =
  | { readonly verdict: 'granted'; readonly keys: readonly GrantedKey[] }
  | { readonly verdict: 'refused'; readonly reason: string };

/** Input of `createAccessAnswer`; `signer` is the admin's device's. */
interface AnswerInput {
  readonly primitives: Primitives;
  readonly signer: Signer;
  /** Verified (`verifyAccessRequest`). */
  readonly request: AccessRequest;
  readonly content: OpenedAccessAnswer;
  readonly createdMs: number;
}

/**
 * Seals keys, or a reason, to the one-use key of a request and signs: CBOR `[answer bytes, signature]`. The keys stay
 * the caller's. @throws CryptoError `malformed` (keys not sorted, a reason that is empty or too long), `bad-key`
 */
export function createAccessAnswer({
  primitives,
  signer,
  request,
  content,
  createdMs,
}: AnswerInput): Uint8Array {
  const { verdict } = content;
  const author = deviceIdOf(primitives, signer.publicKey);
  const plain = encodeCbor(
    verdict === 'granted'
      ? content.keys.map(({ epoch, key }) => [epoch, key.use(copyBytes)])
      : content.reason,
  );
  for (const { key } of readContent(verdict, plain).keys) key.dispose();
  const context = boxContext({ verdict, request: request.hash, author });
  const box = sealBox(primitives, primitives.encapsulator(request.oneUseKey), context, plain);
  plain.fill(0);
  const bytes = encodeCbor([
    VERSION,
    SUITE,
    VERDICTS.indexOf(verdict),
    request.hash,
    idBytes(author),
    createdMs,
    box,
  ]);
  return encodeCbor([bytes, signBytes(primitives, signer, 'accessAnswerSignature', bytes)]);
}

/** Reads an answer WITHOUT checking its signature. @throws CryptoError `malformed`, `too-large`, `unsupported-version` */
export function parseAccessAnswer(wire: Uint8Array): AccessAnswer {
  return readAnswer(splitSigned(wire)[0]);
}

/**
 * Checks the signature on the exact bytes, then reads them, then checks that the signer is the author. Whether the
 * author may answer, and what, is for the caller.
 * @throws CryptoError `malformed`, `too-large`, `unsupported-version`, `bad-signature`, `wrong-context`
 */
export function verifyAccessAnswer(
  primitives: Primitives,
  verifier: Verifier,
  wire: Uint8Array,
): AccessAnswer {
  const [bytes, signature] = splitSigned(wire);
  verifyBytes(primitives, verifier, 'accessAnswerSignature', bytes, signature);
  const answer = readAnswer(bytes);
  if (answer.author !== deviceIdOf(primitives, verifier.publicKey))
    throw new CryptoError('wrong-context', 'an answer of another device');
  return answer;
}

/**
 * Opens the box of a verified answer; the keys are the caller's to dispose.
 * @throws CryptoError `decryption-failed` (another request's, another author's, altered), `malformed`, `too-large`
 */
export function openAccessAnswer(
  primitives: Primitives,
  decapsulator: Decapsulator,
  answer: AccessAnswer,
): OpenedAccessAnswer {
  const { verdict } = answer;
  const plain = openBox(primitives, decapsulator, boxContext(answer), answer.box);
  try {
    const { keys, reason } = readContent(verdict, plain);
    return verdict === 'granted' ? { verdict, keys } : { verdict, reason };
  } finally {
    plain.fill(0);
  }
}

/** label ‖ 00 ‖ verdict [1] ‖ request hash [32] ‖ author [32]: a box is good for one request, verdict and author. */
function boxContext({
  verdict,
  request,
  author,
}: Pick<AccessAnswer, 'verdict' | 'request' | 'author'>): Uint8Array {
  return labelled('accessAnswer', Uint8Array.of(VERDICTS.indexOf(verdict)), request, idBytes(author));
}

function splitSigned(wire: Uint8Array): [bytes: Uint8Array, signature: Uint8Array] {
  const parts = readArray(decodeCbor(wire, MAX_ACCESS_ANSWER_BYTES), 'access answer', 2);
  return [readBytes(parts[0], 'access answer bytes'), readBytes(parts[1], 'signature', 64)];
}

function readAnswer(bytes: Uint8Array): AccessAnswer {
  const fields = readArray(decodeCbor(bytes, MAX_ACCESS_ANSWER_BYTES), 'access answer', 7);
  readKnown(fields[0], 'access answer version', VERSION);
  readKnown(fields[1], 'suite', SUITE);
  return {
    verdict: VERDICTS[readUint(fields[2], 'verdict', VERDICTS.length - 1)] as AccessVerdict,
    request: readBytes(fields[3], 'request hash', 32),
    author: deviceId(readBytes(fields[4], 'author', 32)),
    createdMs: readUint(fields[5], 'creation time'),
    box: readBytes(fields[6], 'box'),
  };
}

function readContent(verdict: AccessVerdict, plain: Uint8Array): { keys: GrantedKey[]; reason: string } {
  const content: CborValue = decodeCbor(plain, MAX_CONTENT_BYTES);
  if (verdict === 'refused') return { keys: [], reason: readText(content, 'reason', MAX_REFUSAL_CHARACTERS) };
  const items = readArray(content, 'granted keys');
  if (items.length === 0 || items.length > MAX_REQUESTED_EPOCHS)
    throw new CryptoError('malformed', `a grant has 1 to ${MAX_REQUESTED_EPOCHS} keys`);
  let previous = 0;
  const keys = items.map((item) => {
    const fields = readArray(item, 'granted key', 2);
    const epoch = readUint(fields[0], 'epoch', MAX_EPOCH);
    if (epoch <= previous) throw new CryptoError('malformed', 'granted keys are not sorted and unique');
    previous = epoch;
    return { epoch, bytes: readBytes(fields[1], 'epoch key', EPOCH_KEY_BYTES) };
  });
  return { keys: keys.map(({ epoch, bytes }) => ({ epoch, key: Secret.own(copyBytes(bytes)) })), reason: '' };
}
