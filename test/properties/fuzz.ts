import fc from 'fast-check';
import { countAllocations } from './allocations.ts';
import type { Decoder } from './decoder.ts';
import { mutationsOf } from './mutation.ts';

/** What a decoder made of its inputs. Plain data: it comes from another process. */
export interface FuzzReport {
  readonly name: string;
  readonly inputs: number;
  readonly accepted: number;
  /** How often each code was thrown; `null` counts what was refused without a throw. */
  readonly refused: Readonly<Record<string, number>>;
}

/** How many inputs, and the seed that repeats them. */
export interface FuzzOptions {
  readonly runs: number;
  readonly seed: number;
}

/** Bytes that one reading may allocate for each byte that it was given, and whatever it was given. */
const ALLOCATION = { perByte: 64, always: 512 * 1024 };

/**
 * Gives a decoder mutated inputs. It accepts each good one and writes it again as it was; of the others it
 * throws nothing but its own codes, allocates in proportion to what it was given, leaves the input alone, and
 * accepts only what it would write itself.
 * @throws Error with the smallest input found that breaks this, and the seed
 */
export async function fuzz(decoder: Decoder, { runs, seed }: FuzzOptions): Promise<FuzzReport> {
  const corpus = await decoder.corpus();
  const refused: Record<string, number> = {};
  let accepted = 0;
  const allocations = countAllocations();
  const read = async (input: Uint8Array): Promise<string> => {
    const given = input.slice();
    allocations.reset();
    const outcome = await outcomeOf(decoder, given);
    if (allocations.sizeBytes > ALLOCATION.always + ALLOCATION.perByte * input.length)
      throw new Error(`${decoder.name} allocates ${allocations.sizeBytes} bytes for ${hex(input)}`);
    if (!isSame(given, input)) throw new Error(`${decoder.name} changes its input ${hex(input)}`);
    return outcome;
  };
  try {
    for (const input of corpus) {
      const outcome = await read(input);
      if (outcome !== ACCEPTED) throw new Error(`${decoder.name} refuses a good input: ${outcome}`);
    }
    const property = fc.asyncProperty(mutationsOf(corpus), async (input) => {
      const outcome = await read(input);
      if (outcome === ACCEPTED) accepted += 1;
      else refused[outcome] = (refused[outcome] ?? 0) + 1;
    });
    const inputs = Math.max(1, Math.floor(runs / (decoder.slowness ?? 1)));
    await fc.assert(property, { numRuns: inputs, seed });
    return { name: decoder.name, inputs, accepted, refused };
  } finally {
    allocations.end();
  }
}

const ACCEPTED = 'accepted';

/** `ACCEPTED`, the code of the refusal, or 'null'. */
async function outcomeOf(decoder: Decoder, input: Uint8Array): Promise<string> {
  let written: Uint8Array | null;
  try {
    written = await decoder.rewrite(input);
  } catch (error) {
    if (error instanceof decoder.error && decoder.codes.includes(error.code)) return error.code;
    throw new Error(`${decoder.name} throws what it does not promise: ${hex(input)}`, { cause: error });
  }
  if (written === null) return 'null';
  if (isSame(written, decoder.normal?.(input) ?? input)) return ACCEPTED;
  throw new Error(`${decoder.name} accepts ${hex(input)} and writes ${hex(written)}`);
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
