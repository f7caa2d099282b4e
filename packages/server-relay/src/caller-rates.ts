import { encodeUtf8, type OrgId, type Primitives } from '@keytide/crypto-core';
import { networkOf } from './address-network.ts';
import type { Clock } from './clock.ts';
import { createKeyedRates } from './device-rates.ts';
import { RelayError } from './errors.ts';
import type { RelayLimits } from './limits.ts';
import type { RateSharing } from './rate-sharing.ts';

/** How often those may call together who have an address or an organisation in common. */
export interface CallerRates {
  /** Takes one call of somebody without a session. @throws RelayError `rate-limited` */
  admitAddress(address: string): void;
  /** Takes one call of somebody with one. @throws RelayError `rate-limited` */
  admitOrganisation(org: OrgId): void;
}

/** What `createCallerRates` works with. */
export interface CallerRatesOptions {
  readonly primitives: Primitives;
  readonly clock: Clock;
  readonly limits: Pick<
    RelayLimits,
    'addressBurst' | 'addressPerSecond' | 'organisationBurst' | 'organisationPerSecond'
  >;
  readonly sharing: RateSharing;
  /** Secret, and the same at every node. */
  readonly salt: Uint8Array;
}

/**
 * Addresses are kept as one of 4,096 numbers, chosen by a hash under a secret: memory has a bound however many come,
 * nodes tell each other no address, and nobody can look for one that shares somebody else's number.
 */
export function createCallerRates({
  primitives,
  clock,
  limits,
  sharing,
  salt,
}: CallerRatesOptions): CallerRates {
  const { addressBurst, addressPerSecond, organisationBurst, organisationPerSecond } = limits;
  const ofAddresses = createKeyedRates<string>(
    clock,
    addressBurst,
    addressPerSecond,
    sharing.named('addresses'),
  );
  const ofOrganisations = createKeyedRates<OrgId>(
    clock,
    organisationBurst,
    organisationPerSecond,
    sharing.named('organisations'),
  );

  function numberOf(network: string): string {
    const [high = 0, low = 0] = primitives.hmacSha256(salt, encodeUtf8(network) ?? new Uint8Array());
    return String((high << 4) | (low >> 4));
  }

  return {
    admitAddress(address) {
      const network = networkOf(address);
      if (network !== null && !ofAddresses.admits(numberOf(network)))
        throw new RelayError('rate-limited', 'too many calls from there at once; try again shortly');
    },
    admitOrganisation(org) {
      if (!ofOrganisations.admits(org))
        throw new RelayError(
          'rate-limited',
          'too many calls of this organisation at once; try again shortly',
        );
    },
  };
}
