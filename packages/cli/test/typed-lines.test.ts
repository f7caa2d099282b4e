import { createInterface } from 'node:readline';
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { typedLines } from '../src/typed-lines.ts';

test('no line is lost before somebody asks, and the end is the end', async () => {
  const input = new PassThrough();
  const lines = typedLines(createInterface({ input }));
  input.write('one\ntwo\n');
  await sleep(20);
  input.end('three');
  await sleep(20);
  const got: string[] = [];
  for await (const line of lines) got.push(line);
  expect(got).toEqual(['one', 'two', 'three']);
});

test('a long input waits instead of filling the memory, and arrives whole', async () => {
  const input = new PassThrough({ highWaterMark: 100 });
  const readline = createInterface({ input });
  let paused = 0;
  readline.on('pause', () => {
    paused += 1;
  });
  const lines = typedLines(readline);
  const all = Array.from({ length: 5000 }, (_, i) => `line ${i}`);
  const writing = (async () => {
    for (const line of all) if (!input.write(`${line}\n`)) await new Promise((go) => input.once('drain', go));
    input.end();
  })();
  while (paused === 0) await sleep(5);
  const got: string[] = [];
  for await (const line of lines) got.push(line);
  await writing;
  expect(got).toEqual(all);
});
