import v8 from 'node:v8';
import { nodeProblem } from './node-version.ts';

// V8 would let more than 100 MB of what is over pile up before it looks: archives are taken through little memory.
v8.setFlagsFromString('--semi-space-growth-factor=1');
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
