export { KeytideProvider, useClient } from './react/client-context.ts';
export {
  useAccessInbox,
  useClockBehindSeconds,
  useDocument,
  useDocuments,
  useDueSoon,
  useLive,
  useLog,
  useMembers,
  useRecord,
  useRecords,
  useSyncState,
  useUnreadable,
} from './react/hooks.ts';
