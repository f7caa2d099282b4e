import { createContext, createElement, useContext, type ReactElement, type ReactNode } from 'react';
import type { Client } from '../client.ts';
import type { Declarations } from '../collection.ts';

const ClientContext = createContext<Client<Declarations> | null>(null);

/** Gives a client to every component below it. */
export function KeytideProvider<D extends Declarations>({
  client,
  children,
}: {
  readonly client: Client<D>;
  readonly children?: ReactNode;
}): ReactElement {
  return createElement(
    ClientContext.Provider,
    { value: client as unknown as Client<Declarations> },
    children,
  );
}

/** The client of the nearest `KeytideProvider`; say which declarations it has. @throws TypeError without one */
export function useClient<D extends Declarations = Declarations>(): Client<D> {
  const client = useContext(ClientContext);
  if (client === null) throw new TypeError('there is no KeytideProvider above this component');
  return client as unknown as Client<D>;
}
