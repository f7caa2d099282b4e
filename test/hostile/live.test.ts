import { afterAll, beforeAll, describe } from 'vitest';
import { liveFrames } from './live.attack.ts';
import { openStage, type Stage } from './stage.ts';
import { tails } from './tails.attack.ts';

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
});

afterAll(() => stage.close());

describe('a relay and what it must not keep', () => {
  liveFrames(() => stage);
  tails(() => stage);
});
