/**
 * Text as a field of CSV (RFC 4180). Text that a spreadsheet would take for a formula gets an apostrophe in front,
 * also behind the signs' full-width forms, which some of them read alike.
 */
export function csvText(text: string): string {
  const inert = /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(inert) ? `"${inert.replace(/"/g, '""')}"` : inert;
}
