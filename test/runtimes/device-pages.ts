import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { BrowserContext, Page } from 'playwright-core';
import { bundle } from './bundle.ts';
import type { DevicePage } from './device-browser-entry.ts';

/** A tab of an app with the client, and its functions as if they were here. */
export interface DeviceTab {
  readonly page: Page;
  readonly call: { readonly [Name in keyof DevicePage]: DevicePage[Name] };
}

/** Where the app is served, on the loopback. */
export interface DeviceSite {
  readonly origin: string;
  open(context: BrowserContext): Promise<DeviceTab>;
  close(): Promise<void>;
}

/** Serves the app as its bundler would make it. */
export async function serveDevicePage(): Promise<DeviceSite> {
  const script = await bundle(new URL('./device-browser-entry.ts', import.meta.url), 'esm');
  const server = createServer((request, response) => {
    const isScript = request.url === '/device.js';
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
    response.end(isScript ? script : '<body><script type="module" src="/device.js"></script></body>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://localhost:${(server.address() as AddressInfo).port}`;
  return {
    origin,
    async open(context) {
      const page = await context.newPage();
      const errors: string[] = [];
      page.on('pageerror', (error) => errors.push(String(error)));
      await page.goto(`${origin}/`, { waitUntil: 'load' });
      await page.waitForFunction('globalThis.devicePage !== undefined').catch((cause: unknown) => {
        throw new Error(`the page failed: ${errors.join('; ')}`, { cause });
      });
      const call = new Proxy({} as DeviceTab['call'], {
        get:
          (_, name) =>
          (...input: unknown[]) =>
            // Text, because this code belongs to the page, where this project's types do not reach.
            page.evaluate(`devicePage.${String(name)}(...${JSON.stringify(input)})`),
      });
      return { page, call };
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
