import {
  createAccessAnswer,
  createAccessRequest,
  parseAccessRequest,
  Secret,
  toHex,
  type AccessRequestFields,
  type OpenedAccessAnswer,
  type Primitives,
} from '@keytide/crypto-core';
import { createGrantRecord } from '@keytide/key-directory';
import { seededWorld, type SeededDevice } from '@keytide/testkit';
import { grantsTo, type WireAt } from '../src/entitlement.ts';
import type { OwnRequest } from '../src/own-request.ts';
import { readRequest, type VerifiedRequests } from '../src/read-request.ts';

/** An organisation of two admins and two members, and what they say to each other about access. */
export function accessWorld(name: string) {
  const world = seededWorld({ seed: name, members: 4, admins: 2 });
  const { primitives, random, clock } = world;
  const [alice, bob, carol, dave] = world.members.map(({ devices }) => devices[0]) as [
    SeededDevice,
    SeededDevice,
    SeededDevice,
    SeededDevice,
  ];
  const wireAt: WireAt = (index) => world.wires[index] as Uint8Array;
  const roots = new Map([[world.state.size, world.state.root]]);

  function append(wire: Uint8Array): void {
    roots.set(world.append(wire).size, world.state.root);
  }

  /** A request for epochs 3 to 5 as its device keeps it. */
  function ask({ id, signer }: SeededDevice, changes: Partial<AccessRequestFields> = {}): OwnRequest {
    const seed = random(32);
    const wire = createAccessRequest(primitives, signer, {
      org: world.org,
      group: world.state.everyone,
      device: id,
      firstEpoch: 3,
      lastEpoch: 5,
      oneUseKey: primitives.decapsulator(seed).publicKey,
      nonce: random(32),
      checkpoint: { size: world.state.size, root: world.state.root },
      createdMs: clock.now(),
      ...changes,
    });
    const request = parseAccessRequest(primitives, wire);
    return { id: toHex(request.hash), wire, request, seed: Secret.own(seed), isPersons: true };
  }

  /** An answer with the keys of these epochs, or a refusal. */
  function answer(
    { signer }: SeededDevice,
    { request }: OwnRequest,
    says: readonly number[] | string,
  ): Uint8Array {
    const content: OpenedAccessAnswer =
      typeof says === 'string'
        ? { verdict: 'refused', reason: says }
        : { verdict: 'granted', keys: says.map((epoch) => ({ epoch, key: Secret.own(random(32)) })) };
    return createAccessAnswer({ primitives, signer, request, content, createdMs: clock.now() });
  }

  /** The grant in the log. */
  function record(author: SeededDevice, { request }: OwnRequest, changes = {}): void {
    const { hash, device, group, firstEpoch, lastEpoch } = request;
    const grant = { request: hash, device, group, firstEpoch, lastEpoch, ...changes };
    append(createGrantRecord({ ...world.as(author), grant }));
  }

  const verified: VerifiedRequests = new Map();
  let verifications = 0;
  const counting: Primitives = {
    ...primitives,
    verifier: (key) => {
      verifications += 1;
      return primitives.verifier(key);
    },
  };

  /** What an admin's device makes of a request: `granted`, `open`, or the code. */
  function read(wire: Uint8Array): string {
    const found = readRequest(
      {
        primitives: counting,
        state: world.state,
        nowMs: clock.now(),
        rootAt: (size) => roots.get(size) ?? null,
        grantsTo: (device) => grantsTo(primitives, world.state, wireAt, device),
        verified,
      },
      wire,
    );
    return found === null ? 'granted' : 'code' in found ? found.code : 'open';
  }

  return {
    world,
    primitives,
    random,
    clock,
    wireAt,
    alice,
    bob,
    carol,
    dave,
    append,
    ask,
    answer,
    record,
    read,
    /** With which signatures are counted, and how many were checked. */
    counting,
    verifications: () => verifications,
  };
}
