import {
  CryptoError,
  openEpoch,
  openEpochBox,
  openMessage,
  parseEpochStatement,
  Secret,
  verifyCommitment,
  type Decapsulator,
  type EpochBox,
  type EpochStatement,
  type OpenedMessage,
  type Primitives,
} from '@keytide/crypto-core';
import { readersOf } from './epoch-model.ts';
import { activePhones, isActive } from './model.ts';
import type { Phone } from './phone.ts';
import type { EpochModel } from './epoch-model.ts';
import type { Announced, Said } from './relay.ts';

/** What a thief looks through: every device there ever was, and what the relay holds. */
export interface Watched {
  readonly ground: { readonly primitives: Primitives };
  readonly phones: ReadonlyMap<string, Thief>;
  /** What each phone believes now. */
  readonly actors: ReadonlyMap<string, { readonly epoch: EpochModel | null }>;
  readonly announced: readonly Announced[];
  readonly said: readonly Said[];
}

/** A device, and every 32 bytes it ever drew. */
export type Thief = Pick<Phone, 'name' | 'id' | 'signer'> & { readonly drawn: readonly Uint8Array[] };

/** Who can read what, by really opening it, and who should. */
export interface Row {
  readonly name: string;
  readonly expected: ReadonlySet<string>;
  readonly actual: ReadonlySet<string>;
}

/** Looks at everything once; what was found before is not looked for again. */
export class Readers {
  readonly #keys = new Map<Announced, Map<string, Secret | null>>();
  readonly #decapsulators = new WeakMap<Uint8Array, Decapsulator>();
  readonly #opened = new Map<Said, boolean>();
  readonly #triesAllBoxes: boolean;

  /** @param triesAllBoxes whether everybody tries also the boxes that are addressed to others */
  constructor(triesAllBoxes: boolean) {
    this.#triesAllBoxes = triesAllBoxes;
  }

  /** A row for each epoch that an honest phone made or believed, and for each message. */
  rows(world: Watched): Row[] {
    const phones = [...world.phones.values()];
    const believed = new Set([...world.actors.values()].map(({ epoch }) => epoch));
    const epochs = world.announced.filter(({ epoch }) => epoch.flaw === null || believed.has(epoch));
    return [
      ...epochs.map((announced) => ({
        name: nameOf(announced),
        expected: announced.epoch.flaw === null ? readersOf(announced.epoch) : new Set<string>(),
        actual: namesOf(phones.filter((phone) => this.keyOf(world, phone, announced) !== null)),
      })),
      ...world.said.map((said) => ({
        name: `'${said.text}' of ${said.sender}`,
        expected: new Set(activePhones(said.log.org).filter((name) => said.under.epoch.boxed.has(name))),
        actual: namesOf(phones.filter((phone) => this.#reads(world, phone, said))),
      })),
    ];
  }

  #reads(world: Watched, phone: Thief, said: Said): boolean {
    const key = this.keyOf(world, phone, said.under);
    if (key === null) return false;
    // All who have a key that fits the commitment have the same one.
    const known = this.#opened.get(said) ?? open(world, said, key) !== null;
    this.#opened.set(said, known);
    return known;
  }

  /** The epoch's key, by all that this phone ever drew and all that the relay has. */
  keyOf({ ground }: Watched, phone: Thief, announced: Announced): Secret | null {
    const found = this.#keys.get(announced) ?? new Map<string, Secret | null>();
    this.#keys.set(announced, found);
    const known = found.get(phone.name);
    if (known !== undefined) return known;
    const { primitives } = ground;
    const statement = parseEpochStatement(primitives, announced.bytes);
    const key =
      firstOf(phone.drawn, (drawn) => {
        const own = Secret.own(drawn.slice());
        verifyCommitment(primitives, statement, own);
        return own;
      }) ??
      firstOf(this.#boxesFor(phone, announced), ({ device, box }) =>
        openEpochBox(primitives, this.#decapsulatorsOf(ground, phone), statement, device, box),
      );
    found.set(phone.name, key);
    return key;
  }

  #boxesFor({ id }: Thief, { boxes }: Announced): readonly EpochBox[] {
    const own = boxes.filter(({ device }) => device === id);
    return this.#triesAllBoxes ? [...own, ...boxes.filter(({ device }) => device !== id)] : own;
  }

  #decapsulatorsOf({ primitives }: Watched['ground'], { drawn }: Thief): Decapsulator[] {
    return drawn.map((seed) => {
      const made = this.#decapsulators.get(seed) ?? primitives.decapsulator(seed);
      this.#decapsulators.set(seed, made);
      return made;
    });
  }
}

/** Rows that are not as they should be, as a table of epochs and phones; empty when all are. */
export function differences(rows: readonly Row[]): string {
  const wrong = rows.filter(
    ({ expected, actual }) =>
      expected.size !== actual.size || [...expected].some((name) => !actual.has(name)),
  );
  if (wrong.length === 0) return '';
  const names = [...new Set(wrong.flatMap(({ expected, actual }) => [...expected, ...actual]))];
  const width = Math.max(...wrong.map(({ name }) => name.length));
  const cell = ({ expected, actual }: Row, name: string): string => {
    if (expected.has(name)) return actual.has(name) ? 'reads' : 'CANNOT';
    return actual.has(name) ? 'READS' : '-';
  };
  const line = (title: string, cells: readonly string[]): string =>
    [title.padEnd(width), ...cells.map((text) => text.padEnd(6))].join('  ').trimEnd();
  return [
    'READS: reads, and should not. CANNOT: should read, and cannot.',
    line('', names),
    ...wrong.map((row) =>
      line(
        row.name,
        names.map((name) => cell(row, name)),
      ),
    ),
  ].join('\n');
}

/** The message, with this key; `null` when it is not under it. */
export function open(
  { ground, phones }: Watched,
  { bytes, under }: Pick<Said, 'bytes' | 'under'>,
  key: Secret,
): OpenedMessage | null {
  const { primitives } = ground;
  const statement: EpochStatement = parseEpochStatement(primitives, under.bytes);
  const devices = [...phones.values()]
    .filter(({ name }) => isActive(under.epoch.log.org, name))
    .map(({ id, signer }) => ({ device: id, verifier: primitives.verifier(signer.publicKey) }));
  const copy = key.use((secret) => Secret.own(secret.slice()));
  const keys = openEpoch({ primitives, statement, key: copy, devices });
  return firstOf([bytes], (envelope) => openMessage(keys, envelope));
}

function firstOf<T, R>(items: Iterable<T>, work: (item: T) => R): R | null {
  for (const item of items) {
    try {
      return work(item);
    } catch (error) {
      if (!(error instanceof CryptoError)) throw error;
    }
  }
  return null;
}

function nameOf({ epoch }: Announced): string {
  return `epoch ${epoch.number} by ${epoch.author} on log ${epoch.log.org.size}`;
}

function namesOf(phones: readonly Thief[]): Set<string> {
  return new Set(phones.map(({ name }) => name));
}
