import { afterAll, beforeAll, describe } from 'vitest';
import { alteredMessages } from './altered-message.attack.ts';
import { forgedArchives } from './archive.attack.ts';
import { swappedBoxes } from './boxes.attack.ts';
import { reorderedMessages } from './order.attack.ts';
import { secrecy } from './secrecy.attack.ts';
import { uninvitedSenders } from './senders.attack.ts';
import { forgedStatements } from './statements.attack.ts';
import { openStage, type Stage } from './stage.ts';

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
});

afterAll(() => stage.close());

describe('a relay that lies about messages', () => {
  alteredMessages(() => stage);
  reorderedMessages(() => stage);
  uninvitedSenders(() => stage);
  forgedStatements(() => stage);
  swappedBoxes(() => stage);
  forgedArchives(() => stage);
  secrecy(() => stage);
});
