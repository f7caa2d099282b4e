import { afterAll, afterEach, beforeAll, describe } from 'vitest';
import { knownViewBreaks } from './known-views.attack.ts';
import { knownMembershipBreaks } from './known-members.attack.ts';
import { knownEncodingTricks } from './known-notes.attack.ts';
import { knownProofBreaks } from './known-proofs.attack.ts';
import { knownSecretBreaks } from './known-secrets.attack.ts';
import { openStage, type Stage } from './stage.ts';

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
});

afterEach(() => stage.clear());

afterAll(() => stage.close());

describe('what broke elsewhere', () => {
  knownMembershipBreaks(() => stage);
  knownSecretBreaks(() => stage);
  knownViewBreaks(() => stage);
  knownEncodingTricks(() => stage);
  knownProofBreaks();
});
