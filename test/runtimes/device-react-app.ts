import type { Client } from '@keytide/client';
import {
  KeytideProvider,
  useAccessInbox,
  useClockBehindSeconds,
  useClient,
  useDocument,
  useDocuments,
  useLive,
  useLog,
  useMembers,
  useRecord,
  useRecords,
  useSyncState,
  useUnreadable,
} from '@keytide/client/react';
import { createElement, useState, type ReactElement } from 'react';
import { createRoot } from 'react-dom/client';
import type { deviceDefinition } from './device-definition.ts';

type Definition = typeof deviceDefinition;

/** What the parts of the app show, as text by name. */
type Showing = Readonly<Record<string, string>>;

/** An app with one component for each hook, and an account of their renders. */
export interface MountedApp {
  shown(): Showing;
  renders(): Readonly<Record<string, number>>;
  /** Lets the component of one record show another one. */
  select(id: string): void;
  unmount(): Promise<number>;
}

/** What is used here of the page, whose types are not part of this project. */
interface PageElement {
  readonly dataset: Record<string, string>;
  readonly textContent: string;
  append(child: PageElement): void;
  remove(): void;
  querySelectorAll(selector: string): Iterable<PageElement>;
}
interface PageDocument {
  readonly body: PageElement;
  createElement(name: string): PageElement;
}

/** Mounts the app on a client, in the page for real. */
export function mountApp(client: Client<Definition>): MountedApp {
  const { document } = globalThis as unknown as { document: PageDocument };
  const counts: Record<string, number> = {};
  let select: (id: string) => void = () => {};
  const part = (name: string, look: () => string): (() => ReactElement) =>
    function Part() {
      counts[name] = (counts[name] ?? 0) + 1;
      return createElement('p', { 'data-part': name }, look());
    };
  const chat = (): Client<Definition>['collections']['chat'] => useClient<Definition>().collections.chat;
  const texts = (items: readonly { body: { text: string } }[]): string =>
    items.map(({ body }) => body.text).join(',');
  const titles = (records: readonly { body: { title: string } }[]): string =>
    records.map(({ body }) => body.title).join(',');
  const parts = {
    state: part('state', () => useSyncState().kind),
    log: part('log', () => texts(useLog(chat()))),
    north: part('north', () => texts(useLog(chat(), { room: 'north' }))),
    records: part('records', () => titles(useRecords(useClient<Definition>().collections.requests))),
    record: part('record', () => {
      const [id, setId] = useState('');
      select = setId;
      return useRecord(useClient<Definition>().collections.requests, id)?.body.title ?? 'none';
    }),
    places: part('places', () =>
      useLive(useClient<Definition>().collections.places)
        .map(({ body }) => body.at)
        .join(','),
    ),
    shifts: part('shifts', () => {
      const shifts = useDocuments(useClient<Definition>().collections.shifts);
      return shifts?.map(({ body }) => body.place).join(',') ?? 'not yet';
    }),
    shift: part(
      'shift',
      () => useDocument(useClient<Definition>().collections.shifts, 'mon')?.body.place ?? 'none',
    ),
    clock: part('clock', () => String(useClockBehindSeconds())),
    inbox: part('inbox', () => String(useAccessInbox().length)),
    members: part('members', () =>
      useMembers()
        .map(({ handle }) => handle)
        .join(','),
    ),
    unreadable: part('unreadable', () => String(useUnreadable().length)),
    // Two looks at one thing in one render: they never differ.
    pair: part('pair', () => {
      const [one, two] = [useLog(chat()).length, useLog(chat()).length];
      return one === two ? 'same' : `torn ${one} ${two}`;
    }),
  };
  let subscribers = 0;
  const counted = <T extends { subscribe(listener: () => void): () => void }>(source: T): void => {
    const subscribe = source.subscribe.bind(source);
    source.subscribe = (listener) => {
      subscribers += 1;
      const end = subscribe(listener);
      return () => {
        subscribers -= 1;
        end();
      };
    };
  };
  const { chat: log, requests, places, shifts } = client.collections;
  for (const source of [client, client.access, log, requests, places, shifts]) counted(source);
  const place = document.createElement('div');
  document.body.append(place);
  const root = createRoot(place as unknown as Parameters<typeof createRoot>[0]);
  const all = Object.entries(parts).map(([key, Part]) => createElement(Part, { key }));
  root.render(createElement(KeytideProvider<Definition>, { client }, all));
  return {
    shown: () => {
      const found = [...place.querySelectorAll('[data-part]')];
      return Object.fromEntries(
        found.map(({ dataset, textContent }) => [dataset['part'] ?? '', textContent]),
      );
    },
    renders: () => ({ ...counts }),
    select: (id) => select(id),
    async unmount() {
      root.unmount();
      place.remove();
      await new Promise((resolve) => setTimeout(resolve, 50));
      return subscribers;
    },
  };
}
