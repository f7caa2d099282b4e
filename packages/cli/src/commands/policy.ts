import type { Context } from '../context.ts';
import { decide, type ProposeOption } from '../decide.ts';
import { untilOnline, withDevice } from '../device.ts';
import { changedPolicy, POLICY_KEYS } from '../policy-keys.ts';

/** `keytide policy show`: what the organisation has decided. */
export async function showPolicy(context: Context, options: { offline?: true }): Promise<void> {
  await withDevice(context, async (client) => {
    if (!options.offline) await untilOnline(context, client);
    const policy = Object.fromEntries(POLICY_KEYS.map(({ key, read }) => [key, read(client.policy)]));
    const lines = Object.entries(policy).map(([key, value]) => `${key.padEnd(25)} ${value}`);
    context.output.result({ policy }, lines);
  });
}

/** `keytide policy set`: another value for one thing that the policy decides. */
export async function setPolicy(
  context: Context,
  key: string,
  value: string,
  options: ProposeOption,
): Promise<void> {
  await withDevice(context, async (client) => {
    await untilOnline(context, client);
    // Looked at before anything is sent: a value that makes no sense is the person's to correct.
    changedPolicy(client.policy, key, value);
    const change = (policy: typeof client.policy): typeof policy => changedPolicy(policy, key, value);
    if (!(await decide(context, client, { kind: 'policy', change }, options))) return;
    context.output.result({ key, value }, [`${key} is now ${value}`]);
  });
}
