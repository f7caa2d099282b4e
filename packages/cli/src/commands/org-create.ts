import { createOrganisation } from '@keytide/client';
import type { Context } from '../context.ts';
import { untilOnline, withNewDevice } from '../device.ts';
import { relayOrigin } from '../relay-origin.ts';

/** `keytide org create`: a new organisation with this device as its first admin. */
export async function createOrg(context: Context, options: { relay: string; name: string }): Promise<void> {
  const relayUrl = relayOrigin(options.relay);
  const handle = options.name;
  await withNewDevice(
    context,
    (rest) => createOrganisation({ ...rest, relayUrl, handle }),
    async (client) => {
      await untilOnline(context, client);
      const { org, device, member, relayUrl: relay } = client;
      context.output.result({ org, device, member, relay }, [
        `organisation ${org}`,
        `this device  ${device}`,
        `relay        ${relay}`,
      ]);
      context.output.note('Next: `keytide invite` makes a link for one person.');
    },
  );
}
