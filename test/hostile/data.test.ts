import { afterAll, beforeAll, describe } from 'vitest';
import { lyingAboutAggregates } from './aggregates.attack.ts';
import { hostileAttachments } from './attachments.attack.ts';
import { lyingAboutRetention } from './ledger.attack.ts';
import { lyingAboutOrgData } from './org-data.attack.ts';
import { openStage, type Stage } from './stage.ts';

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
});

afterAll(() => stage.close());

describe('a relay that lies about data beside the messages', () => {
  hostileAttachments(() => stage);
  lyingAboutOrgData(() => stage);
  lyingAboutAggregates(() => stage);
  lyingAboutRetention(() => stage);
});
