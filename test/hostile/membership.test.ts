import { afterAll, beforeAll, describe } from 'vitest';
import { hijackedJoins } from './joining.attack.ts';
import { contradictoryMembershipLogs } from './membership-log.attack.ts';
import { openStage, type Stage } from './stage.ts';

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
});

afterAll(() => stage.close());

describe('a relay that lies about members', () => {
  contradictoryMembershipLogs(() => stage);
  hijackedJoins(() => stage);
});
