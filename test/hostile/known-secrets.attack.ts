import { parseEpochStatement, toBase64Url, type EpochStatement } from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom } from '@keytide/crypto-core/node';
import { recipientsOf, replay } from '@keytide/key-directory';
import type { AddressedBox, GroupEntry } from '@keytide/relay-protocol';
import {
  addGhost,
  claimSize,
  forgeGroupLog,
  hostileRelay,
  seededDevice,
} from '@keytide/testkit/hostile-relay';
import { expect, test } from 'vitest';
import { burgle } from './loot.ts';
import { now } from './noon-ports.ts';
import { rawLogin } from './raw-session.ts';
import { signerIn } from './seeds.ts';
import { codesOf, goesOn, hears, says, stops, unreadable, type Stage } from './stage.ts';

/** How others gave keys to whom they are not for, or took something for what it is not. */
export function knownSecretBreaks(stage: () => Stage): void {
  // matrix-js-sdk, CVE-2024-47080: who invited sent the keys of earlier messages to all devices of the invited,
  // verified or not, so a server with a device of its own had them.
  test('history offered to uncertified devices', async () => {
    const announced: { statement: EpochStatement; boxes: readonly AddressedBox[] }[] = [];
    stage().hostile.attack({
      toRelay(frame) {
        if (frame.type === 'announce')
          announced.push({ statement: parseEpochStatement(primitives, frame.statement), boxes: frame.boxes });
        return [frame];
      },
    });
    const { ada, bo } = await stage().pair();
    const ghost = seededDevice(primitives, nodeRandom, now() - 3_600_000);
    const [first] = announced;
    // Whoever is new is shown a box of the epoch before, as if it was theirs.
    let offered = 0;
    stage().hostile.attack({
      async call(call, forward) {
        if (call.who === bo.client.device || !call.path.endsWith('/boxes/1')) return await forward(call);
        offered += 1;
        return { status: 200, body: { box: toBase64Url(first?.boxes[0]?.box as Uint8Array) } };
      },
    });
    const di = await stage().admit(ada, 'di');
    await says(ada, 'for di too');
    await hears(di, 'for di too');
    addGhost(stage().hostile, ada.client.device, { primitives, ghost, member: di.client.member });
    claimSize(stage().hostile, ada.client.device, 5);
    await stops(ada);
    await goesOn(bo, di);
    expect(unreadable(di)).toEqual(['ask-an-admin', 'ask-an-admin']);
    expect(offered).toBe(0);
    const { wires } = await burgle(bo);
    expect(announced.map(({ statement }) => statement.epoch)).toEqual([1, 2]);
    for (const { statement, boxes } of announced) {
      const directory = replay(primitives, wires.slice(0, statement.checkpoint.size));
      const entitled = recipientsOf(directory, directory.everyone).map(({ device }) => device);
      expect(boxes.map(({ device }) => device).toSorted()).toEqual(entitled.toSorted());
    }
  });

  // matrix-js-sdk, CVE-2022-39251, matrix-ios-sdk, CVE-2022-39255, matrix-android-sdk2, CVE-2022-39248: what one
  // protocol had encrypted was taken for a message of another, and believed.
  test('one kind of message is taken for another', async () => {
    let box: Uint8Array | null = null;
    stage().hostile.attack({
      toRelay(frame) {
        if (frame.type === 'announce') box = frame.boxes[0]?.box ?? null;
        return [frame];
      },
    });
    const { ada, bo } = await stage().pair();
    const { entries, wires } = await burgle(ada);
    const bytesOf = (kind: GroupEntry['kind']): Uint8Array =>
      (entries.findLast((entry) => entry.kind === kind) as GroupEntry).bytes;
    const log = forgeGroupLog(stage().hostile, bo.client.device);
    const confused: GroupEntry[] = [
      { kind: 'envelope', bytes: bytesOf('statement') },
      { kind: 'statement', bytes: bytesOf('envelope') },
      { kind: 'envelope', bytes: box as unknown as Uint8Array },
      { kind: 'statement', bytes: wires.at(-1) as Uint8Array },
    ];
    const codes = await codesOf(ada, bo, () => log.insert(...confused));
    expect(codes).toEqual(confused.map(() => 'tampered'));
    expect(bo.client.epoch).toBe(1);
  });

  // Quiet, security audit of 2026 (github.com/TryQuiet/quiet/issues/3436): devices signed challenges that named
  // neither the server nor what they were for, so one server had logins for another signed.
  test('a signature for one relay serves at another', async () => {
    const ada = await stage().found();
    const { hostile } = stage();
    const other = await hostileRelay({ target: hostile.url });
    try {
      const subject = { kind: 'device', id: ada.client.device } as const;
      const login = { org: ada.client.org, subject, signer: await signerIn(ada.store), url: other.url };
      expect((await rawLogin({ ...login, relayName: other.url })).body.code).toBe('login-refused');
      expect((await rawLogin({ ...login, relayName: hostile.url })).status).toBe(200);
    } finally {
      await other.close();
    }
  });
}
