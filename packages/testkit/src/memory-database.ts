/**
 * The database of a relay that is gone with its test. When the environment names a file in `KEYTIDE_TEMPLATE_DATABASE`,
 * the first relay saves its empty database there, and the others begin with it.
 */
export function memoryDatabase(): { readonly kind: 'memory'; readonly template: string | undefined } {
  return { kind: 'memory', template: process.env['KEYTIDE_TEMPLATE_DATABASE'] };
}
