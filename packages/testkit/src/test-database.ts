/** A file in which the first relay in memory leaves its empty database, and all others begin with it. */
const TEMPLATE = 'KEYTIDE_TEMPLATE_DATABASE';

/** The database of a relay that is gone with its test. Started several times faster where `KEYTIDE_TEMPLATE_DATABASE` names a file. */
export function memoryDatabase(): { readonly kind: 'memory'; readonly template: string | undefined } {
  return { kind: 'memory', template: process.env[TEMPLATE] };
}

/** The same for one that is in a folder, which the test removes. */
export function folderDatabase(folder: string): {
  readonly kind: 'pglite';
  readonly folder: string;
  readonly template: string | undefined;
} {
  return { kind: 'pglite', folder, template: process.env[TEMPLATE] };
}
