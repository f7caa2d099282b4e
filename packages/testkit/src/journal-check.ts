import type { Journal } from '@keytide/client';

/** How the suite gets at one kind of journal; every check asks for a place of its own. */
export interface JournalUnderTest {
  /** Makes an empty journal. */
  create(): Promise<Journal>;
  /** Leaves the journal as a closed app does and opens it anew; `null` for one that keeps nothing. */
  readonly open: (() => Promise<Journal>) | null;
}

/** One thing that a journal owes. */
export interface JournalCheck {
  readonly name: string;
  check(under: JournalUnderTest): Promise<void>;
}
