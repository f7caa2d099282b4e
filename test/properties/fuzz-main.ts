import type { Decoder } from './decoder.ts';
import { fuzz, type FuzzOptions } from './fuzz.ts';

/** What the parent process asks for: decoders of a table of this folder. No `names`: all of it. */
export interface FuzzTask extends FuzzOptions {
  readonly table: string;
  readonly names?: readonly string[];
}

const task = JSON.parse(process.argv[2] as string) as FuzzTask;
const { decoders } = (await import(task.table)) as { decoders: readonly Decoder[] };
for (const decoder of decoders) {
  if (task.names?.includes(decoder.name) === false) continue;
  console.log(JSON.stringify(await fuzz(decoder, task)));
}
