/** The first Node with everything that is needed (ML-KEM and Argon2 in node:crypto). */
const NEEDED = { major: 24, minor: 7 };

/** One line that says what is wrong with this version of Node and what to do, or `null` when nothing is. */
export function nodeProblem(version: string): string | null {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > NEEDED.major || (major === NEEDED.major && minor >= NEEDED.minor)) return null;
  return (
    `this is Node ${version}, and keytide needs ${NEEDED.major}.${NEEDED.minor} or newer. ` +
    'Inside the project run `npx keytide`, which uses the Node that the project brings along.'
  );
}
