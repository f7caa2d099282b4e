import type { Unreadable } from '@keytide/client';
import type { Context } from './context.ts';

/** Says what this device cannot show because it was written before it joined, so that nothing seems lost. */
export function noteEarlier(context: Context, { unreadable }: { unreadable: readonly Unreadable[] }): void {
  const earlier = unreadable.filter(({ code }) => code === 'ask-an-admin').length;
  if (earlier === 0) return;
  const entries = earlier === 1 ? '1 entry was' : `${earlier} entries were`;
  context.output.note(
    `${entries} written before this device joined. If you were a member then, \`keytide access request\` asks for it.`,
  );
}
