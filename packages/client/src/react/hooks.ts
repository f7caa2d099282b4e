import type { AccessRequestView } from '../access-view.ts';
import type { Body } from '../body.ts';
import type { Unreadable } from '../client-events.ts';
import type { SyncState } from '../connection.ts';
import type { LiveCollection, LiveItem } from '../live-collection.ts';
import type { LogCollection, LogItem } from '../log-collection.ts';
import type { OrgCollection, OrgDocument } from '../org-collection.ts';
import type { MemberView } from '../people.ts';
import type { RetentionDue } from '../release.ts';
import type { RecordCollection, RecordView } from '../record-collection.ts';
import { useClient } from './client-context.ts';
import { useShown } from './use-shown.ts';

/** Where the client stands with its relay: for a status line or a progress bar. */
export function useSyncState(): SyncState {
  const client = useClient();
  return useShown(client, () => client.state);
}

/** How many seconds this device's clock is behind, negative where it is ahead; 0 while it may be right. */
export function useClockBehindSeconds(): number {
  const client = useClient();
  return useShown(client, () => client.clockBehindSeconds);
}

/** The organisation's current members. */
export function useMembers(): readonly MemberView[] {
  const client = useClient();
  return useShown(client, () => client.members());
}

/** Everything that cannot be read, and why. */
export function useUnreadable(): readonly Unreadable[] {
  const client = useClient();
  return useShown(client, () => client.unreadable);
}

/** What the relay is about to forget, for devices of admins and exporters: see `client.dueSoon`. */
export function useDueSoon(): RetentionDue | null {
  const client = useClient();
  return useShown(client, () => client.dueSoon);
}

/** The access requests that wait for this admin's word: see `client.access`. */
export function useAccessInbox(): readonly AccessRequestView[] {
  const { access } = useClient();
  return useShown(access, () => access.inbox);
}

/** The items of a log, or of one room; what comes in other rooms renders nothing. */
export function useLog<T extends Body>(
  collection: LogCollection<T>,
  { room }: { readonly room?: string } = {},
): readonly LogItem<T>[] {
  return useShown(collection, () => collection.read(room === undefined ? {} : { room }));
}

/** All records, by id. */
export function useRecords<T extends Body>(collection: RecordCollection<T>): readonly RecordView<T>[] {
  return useShown(collection, () => collection.list());
}

/** One record, or `null` when this device knows none with this id; changes of others render nothing. */
export function useRecord<T extends Body>(collection: RecordCollection<T>, id: string): RecordView<T> | null {
  return useShown(collection, () => collection.get(id));
}

/** All documents of a collection of the class org; `null` until the relay was reached once since the start. */
export function useDocuments<T extends Body>(collection: OrgCollection<T>): readonly OrgDocument<T>[] | null {
  return useShown(collection, () => collection.shown());
}

/** One document, or `null` where there is none, or the relay was not reached yet; changes of others render nothing. */
export function useDocument<T extends Body>(collection: OrgCollection<T>, id: string): OrgDocument<T> | null {
  return useShown(collection, () => collection.shown()?.find((document) => document.id === id) ?? null);
}

/** The newest value of each other device that is connected and fresh, in one room or in all. */
export function useLive<T extends Body>(
  collection: LiveCollection<T>,
  { room }: { readonly room?: string } = {},
): readonly LiveItem<T>[] {
  return useShown(collection, () => collection.current(room));
}
