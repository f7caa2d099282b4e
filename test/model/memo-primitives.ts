import { toHex, type Encapsulator, type Primitives, type Verifier } from '@keytide/crypto-core';
import { nodePrimitives } from '@keytide/crypto-core/node';

/**
 * The real primitives, each answer about public bytes worked out once: sixty devices in one process check the same
 * signatures.
 */
export function memoPrimitives(): Primitives {
  const verifiers = new Map<string, Verifier>();
  const encapsulators = new Map<string, Encapsulator>();
  return {
    ...nodePrimitives,
    verifier: (publicKey) =>
      remembered(verifiers, toHex(publicKey), () => memoVerifier(nodePrimitives.verifier(publicKey))),
    encapsulator: (publicKey) =>
      remembered(encapsulators, toHex(publicKey), () => nodePrimitives.encapsulator(publicKey)),
  };
}

function memoVerifier(verifier: Verifier): Verifier {
  const verdicts = new Map<string, boolean>();
  return {
    publicKey: verifier.publicKey,
    verify: (message, signature) =>
      remembered(verdicts, toHex(message) + toHex(signature), () => verifier.verify(message, signature)),
  };
}

function remembered<T>(known: Map<string, T>, name: string, work: () => T): T {
  const found = known.get(name);
  if (found !== undefined) return found;
  const made = work();
  known.set(name, made);
  return made;
}
