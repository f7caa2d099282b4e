import { afterAll, afterEach, beforeAll, describe } from 'vitest';
import { doneInOnesName } from './audit.attack.ts';
import { liesAboutOneself } from './lookups.attack.ts';
import { openStage, type Stage } from './stage.ts';

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
});

afterEach(() => stage.clear());

afterAll(() => stage.close());

describe('a member who looks after its own entries', () => {
  doneInOnesName(() => stage);
  liesAboutOneself(() => stage);
});
