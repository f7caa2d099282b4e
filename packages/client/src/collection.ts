import type { Declarations, LogDeclaration, RecordDeclaration } from './declare.ts';
import type { LogCollection } from './log-collection.ts';
import type { RecordCollection } from './record-collection.ts';

/** The typed collections of a client, by declared name. */
export type Collections<D extends Declarations> = {
  readonly [Name in keyof D]: D[Name] extends LogDeclaration<infer T>
    ? LogCollection<T>
    : D[Name] extends RecordDeclaration<infer T>
      ? RecordCollection<T>
      : never;
};
