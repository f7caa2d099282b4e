import { afterAll, beforeAll, describe } from 'vitest';
import { falseAcknowledgements } from './acknowledgements.attack.ts';
import { floods } from './flood.attack.ts';
import { nonsenseFrames } from './frames.attack.ts';
import { silentRelays } from './silence.attack.ts';
import { openStage, type Stage } from './stage.ts';

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
});

afterAll(() => stage.close());

describe('a relay that does not do its work', () => {
  falseAcknowledgements(() => stage);
  nonsenseFrames(() => stage);
  silentRelays(() => stage);
  floods(() => stage);
});
