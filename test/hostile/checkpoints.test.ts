import { afterAll, afterEach, beforeAll, describe } from 'vitest';
import { contradictoryCheckpoints } from './checkpoints.attack.ts';
import { openStage, type Stage } from './stage.ts';

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
});

afterEach(() => stage.clear());

afterAll(() => stage.close());

describe('a relay that signs more than one truth', () => {
  contradictoryCheckpoints(() => stage);
});
