import { afterAll, afterEach, beforeAll, describe } from 'vitest';
import { forgedAnswers, forgedRequests } from './access.attack.ts';
import { openStage, type Stage } from './stage.ts';

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
});
afterEach(() => stage.clear());
afterAll(() => stage.close());

describe('a relay between a device that asks for keys and an admin', () => {
  forgedRequests(() => stage);
  forgedAnswers(() => stage);
});
