import fc from 'fast-check';
import {
  concatBytes,
  encodeCbor,
  labelled,
  labelledHash,
  openMessage,
  pad,
  parseEnvelopeHeader,
  sealMessage,
  uint64Bytes,
  type EpochKeys,
  type OpenedMessage,
} from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import type { openedWorld, TestDevice } from './world.ts';

type World = Awaited<ReturnType<typeof openedWorld>>;

/** One envelope of a generated log, with what its maker knows of it. */
export interface LogItem {
  readonly envelope: Uint8Array;
  readonly sender: TestDevice;
  readonly counter: number;
  readonly previousLink: Uint8Array;
  readonly link: Uint8Array;
  /** Whether the body follows the specification; a body that does not has no place in a run. */
  readonly wellFormed: boolean;
}

type RelayAct = 'drop' | 'replay' | 'swap' | 'tamper' | 'replace';

/** What happens to a log, one step after another; `who` and the places are taken modulo what there is. */
export type Step =
  /** The sender's next message, with a true signature or, on purpose, with a wrong one. */
  | { readonly act: 'write' | 'write-unsigned'; readonly who: number }
  /** Another member's message in the sender's name, going on from the sender's last one. */
  | { readonly act: 'impersonate'; readonly who: number }
  /** A second message with the counter of the last one; later ones go on from it. */
  | { readonly act: 'fork' | 'fork-unsigned'; readonly who: number }
  /** A body that is none, signed or not; the sender goes on from it. */
  | { readonly act: 'garble' | 'garble-unsigned'; readonly who: number }
  /** A true message that leaves a counter out and names the last one all the same. */
  | { readonly act: 'skip'; readonly who: number }
  /** What the relay can do; `replace` needs a member's help: a forgery stands where the true message stood. */
  | { readonly act: RelayAct; readonly at: number };

const by = (...acts: Exclude<Step['act'], RelayAct>[]) =>
  fc.record({ act: fc.constantFrom(...acts), who: fc.nat(2) });
const relay = fc.record({
  act: fc.constantFrom<RelayAct>('drop', 'replay', 'swap', 'tamper', 'replace'),
  at: fc.nat(30),
});

/** Steps of any kind, mostly plain writing. */
export const anySteps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: by('write') },
    { weight: 3, arbitrary: by('write-unsigned') },
    { weight: 2, arbitrary: by('impersonate', 'fork', 'fork-unsigned', 'garble', 'garble-unsigned', 'skip') },
    { weight: 2, arbitrary: relay },
  ),
  { minLength: 1, maxLength: 24 },
);

/** Steps in which everyone signs what they write; impostors and the relay do as they like. */
export const honestSenders: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: by('write') },
    { weight: 2, arbitrary: by('impersonate', 'fork', 'garble', 'skip') },
    { weight: 2, arbitrary: relay },
  ),
  { minLength: 1, maxLength: 24 },
);

/** Plays the steps; the first half of the log is in one epoch, the rest in the next. */
export function playSteps(world: World, epochs: readonly EpochKeys[], steps: readonly Step[]): LogItem[] {
  const { random, devices } = world;
  const last = new Map<TestDevice, LogItem>();
  const log: LogItem[] = [];
  for (const [index, step] of steps.entries()) {
    const keys = epochs[2 * index < steps.length ? 0 : 1] as EpochKeys;
    if ('at' in step) {
      const at = step.at % Math.max(1, log.length);
      const target = log[at];
      if (target === undefined) continue;
      if (step.act === 'replace') log[at] = forged(world, epochs, target);
      else disturb(log, step.act, at);
      continue;
    }
    const sender = devices[step.who] as TestDevice;
    const before = last.get(sender);
    const forks = step.act.startsWith('fork') && before !== undefined;
    const counter = before === undefined ? 0 : before.counter + (forks ? 0 : step.act === 'skip' ? 2 : 1);
    const previousLink = (forks ? before.previousLink : before?.link) ?? new Uint8Array(32);
    const isSigned = ['write', 'fork', 'garble', 'skip'].includes(step.act);
    const signer = isSigned ? sender.signer : { ...sender.signer, sign: () => random(64) };
    const place = { sender, signer, counter, previousLink };
    const item = step.act.startsWith('garble') ? garbled(world, keys, place) : written(world, keys, place);
    if (step.act !== 'impersonate') last.set(sender, item);
    log.push(item);
  }
  return log;
}

/** What checking one message tells: the message or the code of its refusal. */
export type Verdict = OpenedMessage | string;

/** The verdict on each message alone. */
export function openEach(keysOf: (envelope: Uint8Array) => EpochKeys, log: readonly LogItem[]): Verdict[] {
  return log.map(({ envelope }) => {
    try {
      return openMessage(keysOf(envelope), envelope);
    } catch (error) {
      return (error as { code: string }).code;
    }
  });
}

/**
 * The obvious twin of `verifyRuns` and `settleRun`: checks every signature, then reads the rule backwards. A
 * message with a wrong signature is authentic when the next one that its sender's slot holds names it and is.
 */
export function authenticOneByOne(log: readonly LogItem[], alone: readonly Verdict[]): boolean[] {
  const authentic: boolean[] = [];
  for (let index = log.length - 1; index >= 0; index -= 1) {
    const item = log[index] as LogItem;
    const unsealed = (at: number) => alone[at] !== 'decryption-failed';
    const next = log.findIndex((other, at) => at > index && other.sender === item.sender && unsealed(at));
    authentic[index] =
      typeof alone[index] !== 'string' ||
      (alone[index] === 'bad-signature' &&
        item.wellFormed &&
        next >= 0 &&
        authentic[next] === true &&
        names(log[next] as LogItem, item));
  }
  return authentic;
}

function names(next: LogItem, item: LogItem): boolean {
  return next.counter === item.counter + 1 && Buffer.compare(next.previousLink, item.link) === 0;
}

function disturb(log: LogItem[], act: Exclude<RelayAct, 'replace'>, at: number): void {
  const item = log[at] as LogItem;
  if (act === 'drop') log.splice(at, 1);
  if (act === 'replay') log.push(item);
  if (act === 'swap') log.push(...log.splice(at, 1));
  if (act === 'tamper') {
    const envelope = item.envelope.slice();
    envelope[envelope.length - 1] = (envelope.at(-1) as number) ^ 1;
    log[at] = { ...item, envelope };
  }
}

type Place = Pick<LogItem, 'sender' | 'counter' | 'previousLink'> & { readonly signer: TestDevice['signer'] };

function written({ random, checkpoint }: World, keys: EpochKeys, place: Place): LogItem {
  const { envelope, link } = sealMessage(keys, {
    ...place,
    sender: place.sender.id,
    channel: random(16),
    heads: { directory: checkpoint, group: checkpoint },
    payload: random(4),
    random,
  });
  return { ...place, envelope, link, wellFormed: true };
}

/** Another member's message with the place of a true one: all but the signature can be right. */
function forged(world: World, epochs: readonly EpochKeys[], item: LogItem): LogItem {
  const { sender, counter, previousLink } = item;
  const signer = { ...sender.signer, sign: () => world.random(64) };
  const keys = epochs[parseEnvelopeHeader(item.envelope).epoch - 1] as EpochKeys;
  return written(world, keys, { sender, counter, previousLink, signer });
}

/** A message whose body is `[1]`; everything around it is as it should be. */
function garbled({ random, group }: World, keys: EpochKeys, place: Place): LogItem {
  const [salt, channel, body] = [random(16), random(16), encodeCbor([1])];
  const sender = keys.senderOf(place.sender.id) as NonNullable<ReturnType<EpochKeys['senderOf']>>;
  const inEpoch = { sender, channel, counter: place.counter, salt };
  const digest = labelledHash(primitives, 'message', keys.signedContext(inEpoch), body);
  const signature = place.signer.sign(labelled('messageSignature', digest));
  const { buffer } = new Uint32Array([0]);
  new DataView(buffer).setUint32(0, keys.epoch);
  const start = concatBytes(
    Uint8Array.of(1, 1),
    Buffer.from(group, 'hex'),
    new Uint8Array(buffer),
    sender.slot,
    salt,
  );
  const associated = concatBytes(
    start,
    keys.maskRouting(start, concatBytes(channel, uint64Bytes(place.counter))),
  );
  const data = pad(concatBytes(signature, body));
  const key = keys.messageKey(inEpoch);
  const sealed = primitives.aeadSeal({ key, nonce: new Uint8Array(12), associated, data });
  const link = labelledHash(primitives, 'link', digest, signature);
  return { ...place, envelope: concatBytes(associated, sealed), link, wellFormed: false };
}
