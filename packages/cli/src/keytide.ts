import { nodeProblem } from './node-version.ts';

const problem = nodeProblem(process.versions.node);
if (problem === null) {
  // Only now: on an older Node the imports themselves would fail.
  void import('./main.ts').then(({ main }) => main(process.argv.slice(2)));
} else {
  const [message, next] = problem.split(/(?<=newer\.) /);
  process.stderr.write(
    process.argv.includes('--json')
      ? `${JSON.stringify({ error: { code: 'node-too-old', message, next } })}\n`
      : `keytide: ${problem}\n`,
  );
  process.exitCode = 1;
}
