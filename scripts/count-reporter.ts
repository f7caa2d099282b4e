import type { Reporter, TestModule } from 'vitest/node';

/** Ends a run with the one line people and machines look for: `N passed, N failed`. */
export class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    let passed = 0;
    let failed = unhandledErrors.length;
    let skipped = 0;
    for (const module of modules) {
      if (!module.ok() && module.errors().length > 0) failed += 1;
      for (const test of module.children.allTests()) {
        const state = test.result().state;
        if (state === 'passed') passed += 1;
        else if (state === 'failed') failed += 1;
        else skipped += 1;
      }
    }
    const skippedText = skipped > 0 ? `, ${skipped} skipped` : '';
    process.on('exit', () => console.log(`${passed} passed, ${failed} failed${skippedText}`));
  }
}
