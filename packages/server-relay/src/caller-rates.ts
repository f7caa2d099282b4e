import { encodeUtf8, type OrgId, type Primitives } from '@keytide/crypto-core';
import { networkOf } from './address-network.ts';
import type { Clock } from './clock.ts';
import { createKeyedRates, createMemberRates, type MemberRates, type Sharer } from './device-rates.ts';
import { RelayError } from './errors.ts';
import type { RelayLimits } from './limits.ts';
import type { RateSharing } from './rate-sharing.ts';

/** How often those may call together who have an address or an organisation in common. */
export interface CallerRates {
  /** Takes one call of somebody without a session. @throws RelayError `rate-limited` */
  admitAddress(address: string): void;
  /** Takes one call of somebody with one. @throws RelayError `rate-limited` */
  admitCall(caller: Sharer): void;
  /** What goes over sockets, which uses up nothing of the calls. */
  readonly frames: FrameRates;
}

/** Takes frames in any case, and says after how many milliseconds each was due: 0 when it was in time. */
export interface FrameRates {
  /** A frame of a device, from its share. */
  takeFrame(sender: Sharer): number;
  /** An append, from what all of the organisation have. */
  takeAppend(org: OrgId): number;
}

/** What one device has of what its organisation has; all of its member, twice that: a lost phone leaves its owner a way in. */
const SHARE_OF_DEVICE = 1 / 8;

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
  const ofOrganisations = (name: string) =>
    createKeyedRates<OrgId>(clock, organisationBurst, organisationPerSecond, sharing.named(name));
  const ofMembers = (name: string): MemberRates =>
    createMemberRates(
      clock,
      Math.max(1, organisationBurst * SHARE_OF_DEVICE),
      organisationPerSecond * SHARE_OF_DEVICE,
      { ofDevice: sharing.named(`${name} of device`), ofMember: sharing.named(`${name} of member`) },
    );
  const calls = { ofOrganisation: ofOrganisations('organisations'), ofMember: ofMembers('calls') };
  const appends = ofOrganisations('appends');
  const frames = ofMembers('frames');

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
    admitCall(caller) {
      // First the share: whoever has used it up takes nothing from the others.
      if (!calls.ofMember.admits(caller) || !calls.ofOrganisation.admits(caller.org))
        throw new RelayError(
          'rate-limited',
          'too many calls of this device, member or organisation at once; try again shortly',
        );
    },
    frames: { takeFrame: frames.takes, takeAppend: appends.takes },
  };
}
