import {
  DecryptionSettings,
  DeviceId,
  EncryptionSettings,
  OlmMachine,
  RoomId,
  TrustRequirement,
  UserId,
} from '@matrix-org/matrix-sdk-crypto-wasm';
import type { Group, Messenger } from '../src/crypto/messenger.ts';

const ROOM = '!bench:keytide.example';

/** Megolm in Rust, as Matrix clients use it: through the state machine, with its store in memory and JSON around it. */
const matrix: Messenger<string> = {
  name: 'Megolm (matrix-sdk-crypto-wasm)',
  async makeGroup(senders) {
    const machines: OlmMachine[] = [];
    for (let index = 0; index < senders; index += 1) {
      const machine = await OlmMachine.initialize(new UserId(userOf(index)), new DeviceId(`DEVICE${index}`));
      const settings = new EncryptionSettings();
      settings.rotationPeriodMessages = 1_000_000n;
      await machine.shareRoomKey(new RoomId(ROOM), [], settings);
      machines.push(machine);
    }
    const exported: unknown[] = [];
    for (const machine of machines)
      exported.push(...(JSON.parse(await machine.exportRoomKeys(() => true)) as unknown[]));
    const room = new RoomId(ROOM);
    let events = 0;
    return {
      async seal(sender, { text }) {
        const content = JSON.stringify({ msgtype: 'm.text', body: text });
        const machine = machines[sender] as OlmMachine;
        const sealed = await machine.encryptRoomEvent(room, 'm.room.message', content);
        events += 1;
        // What the home server puts around it.
        const event = `{"type":"m.room.encrypted","event_id":"$event${events}","sender":"${userOf(sender)}"`;
        return `${event},"origin_server_ts":1767225600000,"content":${sealed}}`;
      },
      async reader() {
        const machine = await OlmMachine.initialize(new UserId('@reader:keytide.example'), new DeviceId('R'));
        await machine.importExportedRoomKeys(JSON.stringify(exported), () => {});
        const settings = new DecryptionSettings(TrustRequirement.Untrusted);
        const open = async (event: string): Promise<string> => {
          const decrypted = await machine.decryptRoomEvent(event, room, settings);
          return (JSON.parse(decrypted.event) as { content: { body: string } }).content.body;
        };
        return {
          open,
          async openAll(backlog) {
            const opened: string[] = [];
            for (const event of backlog) opened.push(await open(event));
            return opened;
          },
          close: () => machine.close(),
        };
      },
    } satisfies Group<string>;
  },
};

function userOf(sender: number): string {
  return `@sender${sender}:keytide.example`;
}

export default matrix;
