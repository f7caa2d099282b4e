import type { Context } from './context.ts';
import { nameOf } from './describe-act.ts';
import type { Keytide } from './organisation.ts';

/** Says when somebody's devices change, and loudly when it is one's own. */
export function noteIdentities({ output }: Context, client: Keytide): void {
  client.on('identity', ({ member, added, revoked }) => {
    const event = { event: 'identity', member, added, revoked };
    output.event(event);
    const name = nameOf(client, member);
    const changes = [
      ...(added.length > 0 ? [`${added.length} came`] : []),
      ...(revoked.length > 0 ? [`${revoked.length} ended`] : []),
    ];
    output.note(`The devices of ${name} have changed: ${changes.join(', ')}. See \`keytide compare\`.`);
  });
  client.on('stolen-key', ({ index }) => {
    const event = { event: 'stolen-key', index };
    output.event(event);
    output.note(
      `ALARM: entry ${index} has the signature of this device, which has not made it. See \`keytide directory audit\`.`,
    );
  });
  client.on('own-device', ({ device, invitedBy }) => {
    const event = { event: 'own-device', device, invitedBy };
    output.event(event);
    output.note(
      `ALARM: a device of yours that was not invited from here: ${device}. If it is not yours: \`keytide device revoke\`, and tell your admin.`,
    );
  });
}
