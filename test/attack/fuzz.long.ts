import { attackWithFuzz } from './fuzz.attack.ts';

/** A whole run takes minutes; the gate takes a part of it. */
attackWithFuzz(Number(process.env['KEYTIDE_FUZZ_RUNS'] ?? 100_000));
