import type { Ports } from '@keytide/client';
import { nodePorts } from '@keytide/client/node';
import { fromBase64Url, toBase64Url } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { replay, type DirectoryState } from '@keytide/key-directory';

/** A relay that, once told to, shows an entry of its own making behind the true membership log. */
export interface RelayThatAdds {
  readonly ports: Ports;
  add(make: (state: DirectoryState) => Uint8Array): void;
}

/** The real relay, but for what it adds. */
export function relayThatAdds(): RelayThatAdds {
  let make: ((state: DirectoryState) => Uint8Array) | null = null;
  const readPage = async (url: string, init?: RequestInit): Promise<{ entries: string[]; size: number }> =>
    (await nodePorts.fetch(url, init)).json() as Promise<{ entries: string[]; size: number }>;
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const url = String(input);
    if (make === null || !/\/log\?from=\d+$/.test(url)) return await nodePorts.fetch(input, init);
    const page = await readPage(url, init);
    const { entries } = await readPage(url.replace(/\d+$/, '0'), init);
    const state = replay(
      primitives,
      entries.map((entry) => fromBase64Url(entry) as Uint8Array),
    );
    page.entries.push(toBase64Url(make(state)));
    return Response.json({ entries: page.entries, size: page.size + 1 });
  };
  return {
    ports: { ...nodePorts, fetch },
    add: (wanted) => {
      make = wanted;
    },
  };
}
