import type { Primitives, Random } from '@keytide/crypto-core';
import { portablePrimitives } from '@keytide/crypto-core/portable';
import { portableSuite, type SuiteInput } from './portable-suite.ts';

/** What the script before this one leaves, and what the virtual machine offers to print with. */
declare const suiteInput: SuiteInput;
declare const print: (line: string) => void;

/** Of the things that the portable build must do without, those that this runtime has after all. */
const present = ['TextEncoder', 'TextDecoder', 'crypto', 'WebAssembly', 'Buffer', 'process'].filter(
  (name) => (globalThis as Record<string, unknown>)[name] !== undefined,
);

/** Not random: the virtual machine has no source of it, and the suite opens what it makes. */
let counter = 0;
const random: Random = (sizeBytes) => {
  counter += 1;
  return new Uint8Array(sizeBytes).map((_, index) => (index * 73 + counter * 151) & 0xff);
};
const make = async (given: Random): Promise<Primitives> => portablePrimitives(given);

portableSuite(portablePrimitives(random), suiteInput, make).then(
  (report) => print(JSON.stringify({ present, report })),
  (error) => print(`failed: ${String(error)}`),
);
