import type { Context } from '../context.ts';
import { untilOnline, withDevice } from '../device.ts';
import { clockTime, isoTime } from '../timestamps.ts';

/** Roles that an invite can give. */
export const ROLES = ['member', 'admin', 'exporter'] as const;

/** `keytide invite`: a link for one person. */
export async function invite(
  context: Context,
  options: { role: (typeof ROLES)[number]; valid: number },
): Promise<void> {
  await withDevice(context, async (client) => {
    await untilOnline(context, client);
    const expiresMs = Date.now() + options.valid;
    const link = await client.invite({ role: options.role, validForMs: options.valid });
    context.output.result({ link, role: options.role, expires: isoTime(expiresMs) }, [link]);
    context.output.note(
      `Works once, until ${clockTime(expiresMs, Date.now())}. Whoever has it can join: send it over a channel you trust.`,
    );
  });
}
