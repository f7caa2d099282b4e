import { expect, test } from 'vitest';
import { Emitter } from '../src/emitter.ts';

type Events = { readonly kept: number; readonly other: number };

test('held events wait for their first listener, in order, and for no second one', () => {
  const emitter = new Emitter<Events>(['kept']);
  for (const value of [1, 2]) {
    emitter.emit('kept', value);
    emitter.emit('other', value);
  }
  const heard: string[] = [];
  const stop = emitter.on('kept', (value) => heard.push(`first ${value}`));
  emitter.on('kept', (value) => heard.push(`second ${value}`));
  emitter.on('other', (value) => heard.push(`other ${value}`));
  emitter.emit('kept', 3);
  stop();
  emitter.emit('kept', 4);
  expect(heard).toEqual(['first 1', 'first 2', 'first 3', 'second 3', 'second 4']);
});

test('no more than a thousand are held, the oldest', () => {
  const emitter = new Emitter<Events>(['kept']);
  for (let value = 0; value < 5000; value += 1) emitter.emit('kept', value);
  const heard: number[] = [];
  emitter.on('kept', (value) => heard.push(value));
  expect([heard.length, heard[0], heard[999]]).toEqual([1000, 0, 999]);
});
