/** A relay as a process of its own, for a parent that kills it, or has it go away in good order. */
import { startRelay, type LogEvent, type RelayOptions } from '@keytide/server-relay';
import { givenArgument, onCommand, say } from './parent.ts';

const options = givenArgument<RelayOptions>();
const log = (event: LogEvent): void => {
  if (event.event === 'failed') say('failed', { where: event.where, code: event.code });
};
const starting = startRelay({ ...options, log });
onCommand<{ readonly do: 'drain'; readonly spreadMs: number }>(
  ({ spreadMs }) => void starting.then((relay) => relay.drain(spreadMs)).then(() => say('drained')),
);
const { url } = await starting;
say('listening', { url });
