/** A relay as a process of its own, for a parent that kills it. */
import { startRelay, type RelayOptions } from '@keytide/server-relay';
import { givenArgument, onCommand, say } from './parent.ts';

const options = givenArgument<RelayOptions>();
onCommand(() => {});
const { url } = await startRelay({ ...options, log: () => {} });
say('listening', { url });
