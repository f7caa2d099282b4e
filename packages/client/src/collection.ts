import type { Random } from '@keytide/crypto-core';
import type { Body, Declarations, LogDeclaration, RecordDeclaration } from './declare.ts';
import { LogCollection, type Submit } from './log-collection.ts';
import { RecordCollection } from './record-collection.ts';

/** The typed collections of a client, by declared name. */
export type Collections<D extends Declarations> = {
  readonly [Name in keyof D]: D[Name] extends LogDeclaration<infer T>
    ? LogCollection<T>
    : D[Name] extends RecordDeclaration<infer T>
      ? RecordCollection<T>
      : never;
};

/** A collection of whatever was declared, as the client feeds it. */
export type AnyCollection = Pick<LogCollection<Body>, 'accept' | 'end'>;

/** The declared collections by name, empty. */
export function makeCollections(
  definition: Declarations,
  submit: Submit,
  random: Random,
): ReadonlyMap<string, AnyCollection> {
  return new Map(
    Object.entries(definition).map(([name, declaration]): [string, AnyCollection] => [
      name,
      declaration.kind === 'log'
        ? new LogCollection(name, declaration, submit)
        : new RecordCollection(name, declaration, submit, random),
    ]),
  );
}
