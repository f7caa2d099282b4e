import type { z } from 'zod';
import type { WithoutAttachment } from './attachment-ref.ts';
import type { Body } from './body.ts';
import { encodeClearBody } from './clear-body.ts';
import type { AnyCollection, CollectionContext, Declaration } from './collection.ts';
import type { RelayData } from './relay-data.ts';

/** What a device tells the relay alone: push tokens and the like. */
export interface SystemDeclaration<T extends Body> extends Declaration<SystemCollection<T>> {
  readonly class: 'system';
  readonly kind: 'value';
  readonly schema: z.ZodType<T>;
}

/** Declares a value of the class system: each device may write its own, and nobody reads one back. */
export function system<T extends Body>(schema: z.ZodType<T> & WithoutAttachment<T>): SystemDeclaration<T> {
  const declaration: SystemDeclaration<T> = {
    class: 'system',
    kind: 'value',
    schema,
    open: (context) => new SystemCollection(declaration, context),
  };
  return declaration;
}

/** This device's value at the relay. There is no call, and no route, that reads it. */
export class SystemCollection<T extends Body> implements AnyCollection {
  readonly #name: string;
  readonly #declaration: SystemDeclaration<T>;
  readonly #relay: RelayData;

  constructor(declaration: SystemDeclaration<T>, context: Pick<CollectionContext, 'name' | 'relayData'>) {
    this.#name = context.name;
    this.#declaration = declaration;
    this.#relay = context.relayData;
  }

  /**
   * Tells the relay this device's value, in the place of the one before.
   * @throws ClientError `invalid-value`, `too-large`, `offline`, `relay-refused`, `closed`
   */
  async put(body: T): Promise<void> {
    this.#relay.assertOpen();
    const bytes = encodeClearBody(this.#name, this.#declaration.schema, body);
    await this.#relay.putSystemValue(this.#name, bytes);
  }

  /** Has the relay forget it; it does so by itself when the device is revoked. @throws as `put` */
  async clear(): Promise<void> {
    this.#relay.assertOpen();
    await this.#relay.putSystemValue(this.#name, null);
  }

  /** Nothing is followed here. For the client only. */
  end(): void {}
}
