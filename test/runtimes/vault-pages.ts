import type { BrowserContext, Page } from 'playwright-core';
import type { VaultPage } from './vault-browser-entry.ts';

/** A tab of the app with the vault, and its functions as if they were here. */
export interface VaultTab {
  readonly page: Page;
  readonly call: { readonly [Name in keyof VaultPage]: VaultPage[Name] };
}

/** Opens tabs that all belong to one origin; nothing leaves the machine. */
export async function tabsOf(
  context: BrowserContext,
  script: string,
  origin = 'https://keytide.example',
): Promise<() => Promise<VaultTab>> {
  await context.route('**', (route) =>
    route.request().url().endsWith('/vault.js')
      ? route.fulfill({ contentType: 'text/javascript', body: script })
      : route.fulfill({ contentType: 'text/html', body: '<script type="module" src="/vault.js"></script>' }),
  );
  return async () => {
    const page = await context.newPage();
    await page.goto(`${origin}/`, { waitUntil: 'load' });
    await page.waitForFunction('globalThis.vaultPage !== undefined');
    const call = new Proxy({} as VaultTab['call'], {
      get:
        (_, name) =>
        (...input: unknown[]) =>
          // Text, because this code belongs to the page, where this project's types do not reach.
          page.evaluate(`vaultPage.${String(name)}(...${JSON.stringify(input)})`),
    });
    return { page, call };
  };
}
