import { sealBox } from '@keytide/crypto-core';
import { nodePrimitives as primitives, nodeRandom as random } from '@keytide/crypto-core/node';
import { contest, type Contestant } from '../contest.ts';
import { contestRows, plainRow, type BenchOptions, type Row } from '../rows.ts';
import { showing, type App } from './definition.ts';
import { DAY_SECONDS, openOrganisation, write } from './organisation.ts';

const BLOCKS = 30;
const policy = { retentionSeconds: 60 * DAY_SECONDS, exportSeconds: 60 * DAY_SECONDS };

/** A member's new device asks for the keys of 30 blocks, an admin says yes, and all that was written can be read. */
export async function benchGrant({ quick, clock }: BenchOptions): Promise<Row[]> {
  const perBlock = quick ? 5 : 34;
  const messages = BLOCKS * perBlock;
  const organisation = await openOrganisation(policy);
  try {
    const { founder } = organisation;
    const member = await organisation.join(await founder.invite(), 'member');
    for (let block = 1; block <= BLOCKS; block += 1) {
      await write([founder], perBlock);
      if (block < BLOCKS) await organisation.leapDay();
    }
    const adminMs: number[] = [];
    const grant: Contestant = {
      name: 'keytide',
      async round(time) {
        const device = await organisation.join(await member.inviteDevice());
        await device.online();
        const ms = await time(async () => {
          const id = await askedFor(device, founder);
          const startMs = clock.now();
          await founder.access.approve(id);
          const approvedMs = clock.now() - startMs;
          await showing(device, messages);
          return approvedMs;
        });
        adminMs.push(ms);
        await device.close();
      },
    };
    const rounds = quick ? 3 : 7;
    const samples = await contest([grant, bareSeals()], { rounds, warmUps: 1, now: clock.now });
    const work = {
      bench: 'lifecycle',
      work: `grant of ${BLOCKS} blocks`,
      unit: 'ms',
      runtime: clock.runtime,
    };
    return [
      ...contestRows({ ...work, n: messages }, samples, { ours: 'keytide', valueOf: (ms) => ms }),
      plainRow({ ...work, work: `${work.work}: the admin's part`, n: BLOCKS }, adminMs.slice(1)),
    ];
  } finally {
    await organisation.close();
  }
}

/** The request, once the admin sees what the device asks for. */
async function askedFor({ access, device }: App, admin: App): Promise<string> {
  await access.request();
  return new Promise((resolve) => {
    const look = (): void => {
      const view = admin.access.inbox.find((one) => one.device === device);
      if (view === undefined) return;
      stop();
      const { firstEpoch, lastEpoch } = view.gives;
      if (lastEpoch - firstEpoch + 1 !== BLOCKS) throw new Error(`not the keys of ${BLOCKS} blocks`);
      resolve(view.id);
    };
    const stop = admin.access.subscribe(look);
    look();
  });
}

/** An epoch's key to each of so many X-Wing keys, which are read first: nothing is signed, stored or sent. */
function bareSeals(): Contestant {
  const [context, key] = [random(64), random(32)];
  const { publicKey } = primitives.decapsulator(random(32));
  return {
    name: `floor: ${BLOCKS} bare seals`,
    async round(time) {
      await time(() => {
        for (let block = 0; block < BLOCKS; block += 1)
          sealBox(primitives, primitives.encapsulator(publicKey), context, key);
      });
    },
  };
}
