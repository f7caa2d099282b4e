/** What options and arguments take: apart from the commands, which are loaded only when they are run. */

/** Roles that an invite can give. */
export const ROLES = ['member', 'admin', 'exporter'] as const;

/** What can be wiped, as `keytide wipe` takes it. */
export const WIPE_TARGETS = ['device', 'member', 'everyone-but-admins'] as const;

/** In what forms an archive can be had in the clear; docs/spec/derived-formats.md. */
export const FORMATS = ['html', 'jsonl', 'csv', 'parquet', 'eml'] as const;
export type Format = (typeof FORMATS)[number];

/** The columns of a requests file; its first line names each once, in any order. */
export const REQUEST_COLUMNS = ['lat', 'lng', 'title', 'reportedAt', 'township', 'address'] as const;
