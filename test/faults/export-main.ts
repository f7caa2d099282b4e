/** An export as a process of its own, for a parent that has it killed at some step. */
import { exportOrganisation } from '@keytide/client/export';
import { fromHex } from '@keytide/crypto-core';
import { withPlace } from './export-place.ts';
import { openExporter, type Exporting } from './export-world.ts';
import { givenArgument, say } from './parent.ts';

const { home, place, recipient } = givenArgument<Exporting>();
const client = await openExporter(home);
const recipients = [fromHex(recipient) as Uint8Array];
await withPlace(place, (destination) => exportOrganisation(client, { destination, recipients }));
await client.close();
say('exported');
process.exit(0);
