/** Whoever talks to one service, in a process of its own: opens a crowd, then does what it is told. */
import type { LoadTask, OpenTask, Played } from './load.ts';
import type { Crowd, CrowdEvents, Shape } from './crowds/crowd.ts';
import { openKeytideCrowd } from './crowds/keytide.ts';
import { openMqttCrowd } from './crowds/mqtt.ts';
import { openNatsCrowd } from './crowds/nats.ts';
import { openXmppCrowd } from './crowds/xmpp.ts';
import { createPlay, type Play } from './play.ts';

function failed(error: Error): void {
  if (!process.connected) return;
  console.error(error);
  process.exit(1);
}

async function open({ target }: OpenTask, shape: Shape, events: CrowdEvents): Promise<Crowd> {
  switch (target.kind) {
    case 'keytide':
      return await openKeytideCrowd(target, shape, events);
    case 'mqtt':
      return await openMqttCrowd(target, shape, events);
    case 'nats':
      return await openNatsCrowd(target, shape, events);
    case 'xmpp':
      return await openXmppCrowd(target, shape, events);
  }
}

let play: Play | null = null;
async function obey(task: OpenTask | LoadTask): Promise<Played | null> {
  if (task.kind !== 'open') return await (play as Play).run(task);
  const { shape } = task;
  play = createPlay(shape, failed);
  play.on(await open(task, shape, play.events));
  return null;
}

process.on('disconnect', () => process.exit());
process.on('message', (task: OpenTask | LoadTask) => {
  obey(task).then((played) => process.send?.({ played }), failed);
});
