import type { AuditAlarm } from '@keytide/client';
import { auditJson, auditLines } from '../audit-view.ts';
import type { Context } from '../context.ts';
import { withDevice } from '../device.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { writeNewFile } from '../new-file.ts';

interface AuditOptions {
  readonly offline?: true;
  readonly note?: true;
  readonly evidence?: string;
}

/** `keytide directory audit`: what the log and the relay say of one's own member, and what of it nobody here did. */
export async function auditDirectory(context: Context, options: AuditOptions): Promise<ExitCode> {
  const { output } = context;
  return await withDevice(context, async (client) => {
    const report = await client.audit({ offline: options.offline === true });
    const { alarms, relay } = report;
    output.result(auditJson(client, report), auditLines(client, report));
    for (const { index, alarm } of alarms)
      output.note(`ALARM: entry ${index} ${ADVICE[alarm as AuditAlarm]}`);
    if (alarms.length > 0 && options.note) {
      await client.acknowledge({ id: client.member, asOf: report.size });
      output.note('Taken note of: from now on it is listed, and no alarm any more.');
    } else if (alarms.length > 0) {
      output.note('If all of it was you after all: `keytide directory audit --note`.');
    }
    const [proof] = relay?.contradiction?.evidence ?? [];
    if (proof !== undefined && options.evidence !== undefined) {
      await writeNewFile(options.evidence, proof);
      output.note(`Evidence in ${options.evidence}: \`keytide verify-evidence\` says what it proves.`);
    } else if (proof !== undefined) {
      output.note('With --evidence FILE what it was caught at is written down, to be shown to others.');
    }
    if (alarms.length > 0 && !options.note) return EXIT.alarm;
    return relay !== null && relay.contradiction !== null ? EXIT.misbehaved : EXIT.ok;
  });
}

const ADVICE: Readonly<Record<AuditAlarm, string>> = {
  'stolen-key':
    'has the signature of this device, which has not made it: somebody else has its key, or it was put back from an older copy. End it (`keytide device revoke`) and tell your admin.',
  'foreign-device':
    'is of a device of yours that no device of yours has invited. If it is not yours, end it (`keytide device revoke`) and tell your admin.',
};
