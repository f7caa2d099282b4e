/** What a page needs in ms: to evaluate a module, and to start what it loads later. */
export interface PageImport {
  readonly imported: number;
  readonly started: number;
}

interface LoadedPage {
  importModule?: (source: string) => Promise<PageImport>;
  keytide?: { readonly browser?: { browserPrimitives(): Promise<unknown> } };
}

const page = globalThis as LoadedPage;

/** The module comes from memory, so that no network is measured. */
page.importModule = async (source) => {
  const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
  const start = performance.now();
  await import(/* @vite-ignore */ url);
  const imported = performance.now() - start;
  await page.keytide?.browser?.browserPrimitives();
  return { imported, started: performance.now() - start };
};
