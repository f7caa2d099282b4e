import { existsSync } from 'node:fs';
import { chromium, type Browser } from 'playwright-core';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** The program of the machine's Chromium. @throws Error where there is none, with what to do about it */
export function chromiumPath(
  places: readonly string[] = [process.env['KEYTIDE_CHROMIUM'] ?? '', ...PLACES],
): string {
  const executablePath = places.find((path) => path !== '' && existsSync(path));
  if (executablePath === undefined)
    throw new Error(
      'Chromium is missing. Install it (on Debian: apt-get install chromium) or name the program in KEYTIDE_CHROMIUM',
    );
  return executablePath;
}

/** Starts a headless Chromium of the machine. @throws Error as `chromiumPath` */
export async function launchChromium(places?: readonly string[]): Promise<Browser> {
  return chromium.launch({ executablePath: chromiumPath(places), headless: true });
}

/** Runs a module script in a page of a secure origin of its own, and gives what the function it leaves answers. */
export async function callInPage<T>(
  browser: Browser,
  script: string,
  call: { readonly name: string; readonly input: unknown },
): Promise<T> {
  const page = await browser.newPage();
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  // Nothing leaves the machine: every request of the page is answered here.
  await page.route('**', (route) =>
    route.request().url().endsWith('/suite.js')
      ? route.fulfill({ contentType: 'text/javascript', body: script })
      : route.fulfill({ contentType: 'text/html', body: '<script type="module" src="/suite.js"></script>' }),
  );
  await page.goto('https://keytide.example/', { waitUntil: 'load' });
  if (errors.length > 0) throw new Error(`the page failed: ${errors.join('; ')}`);
  const { name, input } = call;
  // Text, because this code belongs to the page, where this project's types do not reach.
  const answer = await page.evaluate(`globalThis[${JSON.stringify(name)}](${JSON.stringify(input)})`);
  await page.close();
  return answer as T;
}
