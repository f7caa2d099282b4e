import type { Context } from './context.ts';
import { CliError } from './errors.ts';
import { EXIT } from './exit-codes.ts';
import { interruption } from './interrupt.ts';
import { confirmPrompt } from './prompt.ts';

/** Asks before something that cannot be undone. @throws CliError `not-confirmed` when nobody can be asked, `interrupted` when the answer is no */
export async function confirm({ signal, output }: Context, question: string): Promise<void> {
  const ask = confirmPrompt(signal);
  if (ask === null) {
    const message = 'there is nobody to ask whether to do this';
    throw new CliError('not-confirmed', EXIT.usage, message, 'Run it in a terminal, or give --yes.');
  }
  if (await ask(question)) return;
  output.note('Nothing was done.');
  throw interruption();
}
