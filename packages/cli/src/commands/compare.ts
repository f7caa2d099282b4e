import type { Context } from '../context.ts';
import { untilOnline, withDevice } from '../device.ts';
import { CliError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { findMember } from '../find.ts';
import { usageError } from '../usage.ts';

/**
 * `keytide compare`: the number that two people compare in person. With the number that the other one sees, takes
 * note of their devices: those that were compared, and none that came since.
 */
export async function compareMember(
  context: Context,
  name: string,
  options: { sameAs?: string },
): Promise<void> {
  await withDevice(context, async (client) => {
    await untilOnline(context, client);
    const member = findMember(client, name);
    const { id, devices, changed } = member;
    if (devices.length === 0)
      throw usageError(`${name} has no device now`, 'There is nothing to compare until they have one.');
    const { digits } = client.safetyNumber(id);
    if (options.sameAs === undefined) {
      context.output.result({ member: id, digits, devices, changed }, [
        ...halves(digits),
        ...(changed ? [`the devices of ${name} have changed since this was last compared`] : []),
      ]);
      context.output.note(
        `${name} sees the same number. With the one they see: \`keytide compare --same-as\`.`,
      );
      return;
    }
    if (onlyDigits(options.sameAs) !== onlyDigits(digits)) throw otherNumber();
    await client.acknowledge(member);
    context.output.result({ member: id, digits, devices, changed: false }, [
      `the same: ${name}, devices: ${devices.length}`,
    ]);
  });
}

function otherNumber(): CliError {
  const next =
    'Read it out again; if it stays, one of you is shown devices that the other has not: tell your admin.';
  return new CliError('other-number', EXIT.refused, 'this is not the number that this device has', next);
}

function onlyDigits(text: string): string {
  return text.replaceAll(/\s/g, '');
}

function halves(digits: string): string[] {
  const groups = digits.split(' ');
  return [groups.slice(0, 6).join(' '), groups.slice(6).join(' ')];
}
