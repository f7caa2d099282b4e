/** What a spreadsheet takes a formula for, and what its cells begin with: some read the signs' full-width forms alike. */
const SIGNS = '=+\\-@\\uff1d\\uff0b\\uff0d\\uff20';
const FORMULA = new RegExp(`^[${SIGNS}\\t\\r\\n]`);
/** Where lists are separated by semicolons or tabs, quotes that do not open a field close none. */
const WITHIN = new RegExp(`([;\\t\\r\\n][\\s"]*)(?=[${SIGNS}])`, 'g');

/**
 * Text as a field of CSV (RFC 4180). Text that a spreadsheet would take for a formula gets an apostrophe in front, also
 * behind what it may take for the end of a cell: where lists are separated by semicolons, it is asked for those.
 */
export function csvText(text: string): string {
  const inert = `${FORMULA.test(text) ? "'" : ''}${text}`.replace(WITHIN, "$1'");
  return /[",\r\n]/.test(inert) ? `"${inert.replace(/"/g, '""')}"` : inert;
}
