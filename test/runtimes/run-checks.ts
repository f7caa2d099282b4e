import {
  asciiBytes,
  openEpoch,
  parseEpochStatement,
  sealMessage,
  Secret,
  settleRun,
  toHex,
  unsealMessage,
  verifyRuns,
  type Noted,
  type OpenedMessage,
  type Primitives,
  type Random,
  type RunVerdict,
  type Signer,
  type Unvouched,
} from '@keytide/crypto-core';
import { expectEqual, type Checks } from './checks.ts';
import { exampleWorld, filled } from './example-world.ts';

/** Runs of messages that are sealed here: one signature for many, and what a wrong one costs. */
export async function checkRuns(
  checks: Checks,
  primitives: Primitives,
  random: Random,
  statementWire: Uint8Array,
): Promise<void> {
  const { alice, bob, directory } = exampleWorld(primitives);
  const epoch = openEpoch({
    primitives,
    statement: parseEpochStatement(primitives, statementWire),
    key: Secret.own(filled(0xe1, 32)),
    devices: [alice, bob].map(({ id, verifier }) => ({ device: id, verifier })),
  });
  let link: Uint8Array = filled(0x1a, 32);
  /** A message of Alice; with another sign, one that nobody takes for hers until the next one names it. */
  const write = (counter: number, text: string, sign: Signer['sign'] = alice.signer.sign): Uint8Array => {
    const sealed = sealMessage(epoch, {
      signer: { publicKey: alice.signer.publicKey, sign },
      sender: alice.id,
      channel: filled(0xc1, 16),
      counter,
      previousLink: link,
      heads: { directory, group: { size: 5, root: filled(0xd3, 32) } },
      payload: asciiBytes(text),
      random,
    });
    ({ link } = sealed);
    return sealed.envelope;
  };
  const unseal = (envelopes: readonly Uint8Array[]) => envelopes.map((each) => unsealMessage(epoch, each));

  await checks.run('run: one signature vouches for the messages before it', () => {
    const messages = unseal([write(3, 'a', bob.signer.sign), write(4, 'b', bob.signer.sign), write(5, 'c')]);
    expectEqual(verifyRuns(messages).map(textOf).join(), '61,62,63');
  });
  await checks.run('run: a refused end waits for the message that vouches for it', () => {
    const [first, ...later] = unseal([write(6, 'd'), write(7, 'e', bob.signer.sign), write(8, 'f')]);
    const portions = [[first], later.slice(0, 1), later.slice(1)];
    let unvouched: Unvouched<null> = [];
    const admitted: Noted<OpenedMessage, null>[] = [];
    const verdicts: string[] = [];
    for (const portion of portions) {
      const messages = portion.flatMap((message) => message ?? []);
      for (const [i, verdict] of verifyRuns(messages).entries()) {
        const message = messages[i];
        if (message === undefined) continue;
        const settled = settleRun(unvouched, { message, note: null }, verdict);
        unvouched = settled.unvouched;
        admitted.push(...settled.admitted);
        verdicts.push(textOf(verdict));
      }
    }
    expectEqual(verdicts.join(), '64,bad-signature,66');
    expectEqual(admitted.map(({ message }) => toHex(message.payload)).join(), '65');
  });
}

function textOf(verdict: RunVerdict): string {
  return typeof verdict === 'string' ? verdict : toHex(verdict.payload);
}
