import { Secret, sorted, toHex } from '@keytide/crypto-core';
import type { ExportSource, SourceGroup } from './source.ts';

/** The epoch keys of a group that the source had at some time while it is exported. */
export interface TakenKeys {
  /** What goes into the file of keys of a segment: of these epochs alone, the oldest first. */
  linesOf(epochs: ReadonlySet<number>): Promise<readonly unknown[]>;
  dispose(): void;
}

/** Takes the keys that the source has now: what is readable when it is taken may be over at the end. */
export async function takeKeys(
  source: Pick<ExportSource, 'epochKeys'>,
  { group }: Pick<SourceGroup, 'group'>,
): Promise<TakenKeys> {
  const keys = new Map<number, { readonly statement: string; readonly key: Secret }>();
  const dispose = (): void => {
    for (const { key } of keys.values()) key.dispose();
  };

  async function takeMore(): Promise<void> {
    for await (const { epoch, statement, key } of source.epochKeys(group))
      if (!keys.has(epoch))
        keys.set(epoch, { statement: toHex(statement), key: Secret.own(key.use((bytes) => bytes.slice())) });
  }

  try {
    await takeMore();
  } catch (error) {
    dispose();
    throw error;
  }
  return {
    dispose,
    async linesOf(epochs) {
      // Those that have come since.
      if ([...epochs].some((epoch) => !keys.has(epoch))) await takeMore();
      const inOrder = sorted([...keys], ([a], [b]) => a - b).filter(([epoch]) => epochs.has(epoch));
      return inOrder.map(([epoch, { statement, key }]) => ({ epoch, statement, key: key.use(toHex) }));
    },
  };
}
