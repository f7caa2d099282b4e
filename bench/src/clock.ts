/** How a bench measures time, and what its rows say about that. `now` in ms. */
export interface Clock {
  readonly now: () => number;
  readonly runtime: string;
}

const NODE = `node ${process.versions.node}`;

/** What a person waits for. Right on a machine that does nothing else. */
export const wallClock: Clock = { now: () => performance.now(), runtime: NODE };

/** The processor time of all threads of this process: nearly the same whatever else the machine does. */
export const processorClock: Clock = {
  now() {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1_000;
  },
  runtime: `${NODE}, processor time`,
};
