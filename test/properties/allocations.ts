/** Counts the bytes of all buffers that are asked for. Deterministic, unlike the process's memory. */
export interface AllocationCount {
  /** Since the last `reset`. */
  readonly sizeBytes: number;
  reset(): void;
  /** Stops counting. */
  end(): void;
}

/** Puts counting constructors in the place of the global ones. */
export function countAllocations(): AllocationCount {
  const own = { Uint8Array, ArrayBuffer };
  let sizeBytes = 0;
  /** The same constructor, to `instanceof` and in all its methods; only calls with a size are noticed. */
  const counting = <T extends new (size: number) => object>(constructor: T): T => {
    const proxy: T = new Proxy(constructor, {
      construct(target, input, newTarget) {
        const [size] = input;
        if (typeof size === 'number') sizeBytes += size;
        return Reflect.construct(target, input, newTarget === proxy ? target : newTarget) as object;
      },
    });
    return proxy;
  };
  globalThis.Uint8Array = counting(own.Uint8Array);
  globalThis.ArrayBuffer = counting(own.ArrayBuffer);
  return {
    get sizeBytes() {
      return sizeBytes;
    },
    reset() {
      sizeBytes = 0;
    },
    end: () => void Object.assign(globalThis, own),
  };
}
