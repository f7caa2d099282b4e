import { equalBytes } from '@keytide/crypto-core';
import type { NamedAttachment } from './source.ts';

/**
 * How messages describe attachments, by blob. Whoever knows of a blob can name it with another key, so one that is
 * described twice has both, and what opens it is right.
 */
export type Descriptions = Map<string, NamedAttachment[]>;

/** Of one attachment; its sender's is among the first. As many as a verifier tries. */
const MAX_DESCRIPTIONS = 8;

/** Takes one more description. */
export function describeAttachment(descriptions: Descriptions, named: NamedAttachment): void {
  const known = descriptions.get(named.blob);
  if (known === undefined) descriptions.set(named.blob, [named]);
  else if (
    known.length < MAX_DESCRIPTIONS &&
    !known.some((other) => equalBytes(other.descriptor, named.descriptor))
  )
    known.push(named);
}

/** Takes those of another stretch. */
export function addDescriptions(
  to: Descriptions,
  from: ReadonlyMap<string, readonly NamedAttachment[]>,
): void {
  for (const described of from.values()) for (const named of described) describeAttachment(to, named);
}
