/** A relay as a process of its own, for a parent that kills it. */
import { startRelay, type LogEvent, type RelayOptions } from '@keytide/server-relay';
import { givenArgument, onCommand, say } from './parent.ts';

const options = givenArgument<RelayOptions>();
onCommand(() => {});
const log = (event: LogEvent): void => {
  if (event.event === 'failed') say('failed', { where: event.where, code: event.code });
};
const { url } = await startRelay({ ...options, log });
say('listening', { url });
