import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Provider } from 'oidc-provider';

/** An OpenID provider on loopback, and somebody who logs in there. */
export interface OpenIdProvider {
  readonly issuer: string;
  /** Goes through the provider's pages as a browser does (code flow with PKCE), and answers the ID token. */
  logIn(clientId: string, nonce: string): Promise<string>;
  close(): Promise<void>;
}

const REDIRECT = 'http://127.0.0.1/back';

/** Starts one with these clients, which are apps without a secret. */
export async function startOpenIdProvider(clientIds: readonly string[]): Promise<OpenIdProvider> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const clients = clientIds.map((client_id) => ({
    client_id,
    application_type: 'native',
    redirect_uris: [REDIRECT],
    token_endpoint_auth_method: 'none',
  }));
  const cookies = { keys: [randomBytes(16).toString('hex')] };
  server.on('request', new Provider(issuer, { clients, cookies }).callback());
  return {
    issuer,
    async logIn(clientId, nonce) {
      const verifier = randomBytes(32).toString('base64url');
      const browse = browser();
      const query = new URLSearchParams({
        client_id: clientId,
        response_type: 'code',
        redirect_uri: REDIRECT,
        scope: 'openid',
        nonce,
        code_challenge: createHash('sha256').update(verifier).digest('base64url'),
        code_challenge_method: 'S256',
      });
      let url = `${issuer}/auth?${query}`;
      for (let page = 0; page < 12 && !url.startsWith(REDIRECT); page += 1) {
        const isForm = url.includes('/interaction/');
        const form = isForm ? formIn(await (await browse(url)).text()) : undefined;
        const { headers, status } = await browse(url, form);
        url = new URL(headers.get('location') ?? `about:${status}`, url).href;
      }
      const code = new URL(url).searchParams.get('code');
      if (code === null) throw new Error(`no code: ${url}`);
      const answer = await fetch(`${issuer}/token`, {
        method: 'POST',
        body: new URLSearchParams({
          grant_type: 'authorization_code',
          client_id: clientId,
          redirect_uri: REDIRECT,
          code_verifier: verifier,
          code,
        }),
      });
      return ((await answer.json()) as { id_token: string }).id_token;
    },
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** What the page asks for: a name and a password, or consent. */
function formIn(page: string): URLSearchParams {
  const prompt = /name="prompt" value="(\w+)"/.exec(page)?.[1] ?? '';
  return new URLSearchParams(prompt === 'login' ? { prompt, login: 'ada', password: 'any' } : { prompt });
}

/** Keeps cookies and follows nothing by itself. */
function browser(): (url: string, form?: URLSearchParams) => Promise<Response> {
  const cookies = new Map<string, string>();
  return async (url, form) => {
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { cookie: Array.from(cookies, ([name, value]) => `${name}=${value}`).join('; ') },
      ...(form === undefined ? {} : { method: 'POST', body: form }),
    });
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      cookies.set(name, value);
    }
    return response;
  };
}
