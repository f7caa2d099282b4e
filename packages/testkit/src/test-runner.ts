/** The two functions of a test runner that a suite needs; those of vitest and of node:test fit. */
export interface TestRunner {
  describe(name: string, suite: () => void): void;
  it(name: string, test: () => Promise<void>): void;
}
