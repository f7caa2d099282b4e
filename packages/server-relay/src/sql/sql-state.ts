/** The five characters by which a database says why it refuses a statement, all of which is then undone; `null` for any other failure. */
export function sqlStateOf(error: unknown): string | null {
  const cause: unknown = error instanceof Error ? error.cause : null;
  const code: unknown = cause instanceof Error && 'code' in cause ? cause.code : null;
  return typeof code === 'string' && code.length === 5 ? code : null;
}
