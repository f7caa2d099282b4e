import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const PACKAGES = fileURLToPath(new URL('../../', import.meta.url));
const PORTABLE = ['crypto-core', 'key-directory', 'relay-protocol', 'client'];
/** Folders and entry points of one runtime, which may use what that runtime has. */
const OF_ONE_RUNTIME = /^(node|browser|react-native|libsignal)[./]/;

/** What Hermes 0.12 lacks, as it is written where it is used. */
const LACKING =
  /\.(?:at|toSorted|toReversed|toSpliced|findLast|findLastIndex|isWellFormed|toWellFormed)\(|\b(?:Object\.(?:hasOwn|groupBy)|Array\.fromAsync|AbortSignal\.|Promise\.withResolvers|structuredClone|TextEncoder|TextDecoder|WeakRef|SharedArrayBuffer|Buffer\.|process\.|crypto\.(?:subtle|getRandomValues))|from 'node:/;

/** Every use in portable code, by file and line. */
function uses(): string[] {
  return PORTABLE.flatMap((name) => {
    const folder = join(PACKAGES, name, 'src');
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
    return files
      .map((file) => file.replaceAll('\\', '/'))
      .filter((file) => file.endsWith('.ts') && !OF_ONE_RUNTIME.test(file))
      .flatMap((file) => {
        const lines = withoutComments(readFileSync(join(folder, file), 'utf8')).split('\n');
        return lines.flatMap((line, i) => (LACKING.test(line) ? [`${name}/src/${file}:${i + 1}`] : []));
      });
  });
}

/** The same lines, with nothing where a comment was. */
function withoutComments(source: string): string {
  return source
    .replaceAll(/\/\*.*?\*\//gs, (comment) => comment.replaceAll(/[^\n]/g, ''))
    .replaceAll(/(^|\s)\/\/.*$/gm, '');
}

test('portable code uses nothing that the engines of old phones lack', () => {
  expect(uses()).toEqual([]);
});

test.each([
  'items.at(-1)',
  'list.toSorted()',
  'Object.hasOwn(a, b)',
  'new TextDecoder()',
  'AbortSignal.timeout(1)',
])('the search finds %s', (use) => {
  expect(LACKING.test(withoutComments(`/* .at( */ const x = ${use}; // .at(`))).toBe(true);
  expect(LACKING.test(withoutComments(`/** ${use} */\n// ${use}`))).toBe(false);
});
