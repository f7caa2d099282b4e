import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { CountReporter } from './scripts/count-reporter.ts';

const conditions = ['keytide-source', 'node'];
const resolve = { conditions };
const ssr = { resolve: { conditions } };

export default defineConfig({
  test: {
    // One more than there are cores: while a test waits for a process or for the disk, another one works.
    maxWorkers: availableParallelism() + 1,
    globalSetup: ['./scripts/template-database.ts'],
    reporters: ['default', new CountReporter()],
    projects: [
      {
        resolve,
        ssr,
        test: {
          name: 'fast',
          include: [
            'packages/*/test/**/*.test.ts',
            'test/{attack,stories,hostile,packaging,properties,model,sync,year}/**/*.test.ts',
          ],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        resolve,
        ssr,
        test: {
          name: 'runtimes',
          include: ['test/runtimes/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        resolve,
        ssr,
        test: {
          name: 'long',
          include: ['test/{attack,properties,model,year}/**/*.long.ts'],
          testTimeout: 600_000,
          // Each test has a process of its own, which is what keeps a core busy.
          maxConcurrency: availableParallelism(),
        },
      },
      {
        resolve,
        ssr,
        test: {
          name: 'faults',
          include: ['test/faults/**/*.test.ts'],
          testTimeout: 600_000,
          hookTimeout: 120_000,
          // Two at a time: each has processes of its own, and waits for them.
          maxWorkers: 2,
        },
      },
    ],
  },
});
