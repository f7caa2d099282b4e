import { browserPrimitives, browserRandom } from '@keytide/crypto-core/browser';
import { portablePrimitives } from '@keytide/crypto-core/portable';
import { contest, type Samples } from '../contest.ts';
import { receivers, type HandedOver } from './receive.ts';
import { webCryptoFloor } from './web-crypto-floor.ts';

/** What the bench hands to the page. */
export interface BrowserInput {
  readonly given: HandedOver;
  readonly senders: number;
  readonly rounds: number;
}

interface BenchPage {
  runBench?: (input: BrowserInput) => Promise<Samples>;
}

(globalThis as BenchPage).runBench = async ({ given, senders, rounds }) => {
  const messages = given.envelopes.length;
  const contestants = [
    receivers(await browserPrimitives(), given).backlog('keytide'),
    receivers(portablePrimitives(browserRandom), given).backlog('keytide, portable build'),
    await webCryptoFloor({ messages, signatures: senders }),
    await webCryptoFloor({ messages, signatures: messages }),
  ];
  return contest(contestants, { rounds, warmUps: 1, now: () => performance.now() });
};
