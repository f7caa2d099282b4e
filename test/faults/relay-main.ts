/** A relay as a process of its own, for a parent that kills it. */
import { startRelay, type DatabaseOptions } from '@keytide/server-relay';
import { givenArgument, onCommand, say } from './parent.ts';

const { database, port } = givenArgument<{ database: DatabaseOptions; port: number }>();
onCommand(() => {});
const { url } = await startRelay({ database, port, log: () => {} });
say('listening', { url });
