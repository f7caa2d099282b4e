import type { Context } from '../context.ts';
import { untilOnline, untilSettled, untilWitnessed, withDevice } from '../device.ts';
import type { Keytide } from '../organisation.ts';
import { CliError } from '../errors.ts';

/** `keytide status`: where this device stands. Also sends what waits. A relay out of reach is an answer, not a failure. */
export async function showStatus(context: Context): Promise<void> {
  await withDevice(context, async (client) => {
    try {
      await untilOnline(context, client);
      await untilSettled(context, client);
      await untilWitnessed(context, client);
    } catch (error) {
      if (!(error instanceof CliError) || (error.code !== 'unreachable' && error.code !== 'queued'))
        throw error;
    }
    const status = statusOf(client);
    const lines = Object.entries(status).map(([name, value]) => `${name.padEnd(18)} ${asText(value)}`);
    context.output.result(status, lines);
  });
}

function statusOf(
  client: Keytide,
): Readonly<Record<string, string | number | Readonly<Record<string, number>>>> {
  const { needed, cosigned } = client.witnesses;
  const self = client.members().find((member) => member.self);
  return {
    org: client.org,
    device: client.device,
    handle: self?.handle ?? '',
    role: self?.role ?? 'none',
    relay: client.relayUrl,
    state: client.state.kind,
    epoch: client.epoch,
    membershipEntries: client.directorySize,
    ...(needed === 0 ? {} : { witnesses: { cosigned: cosigned.length, needed } }),
    members: client.members().length,
    messages: client.collections.chat.read().length,
    requests: client.collections.requests.list().length,
    waiting: client.waiting,
    unreadable: countByCode(client.unreadable),
  };
}

function countByCode(unreadable: Keytide['unreadable']): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { code } of unreadable) counts[code] = (counts[code] ?? 0) + 1;
  return counts;
}

function asText(value: string | number | Readonly<Record<string, number>>): string {
  if (typeof value !== 'object') return String(value);
  const counts = Object.entries(value).map(([code, count]) => `${code} ${count}`);
  return counts.length === 0 ? 'nothing' : counts.join(', ');
}
