import { fromBase64Url, signBytes, toBase64Url, type OrgId, type Signer } from '@keytide/crypto-core';
import { nodePrimitives as primitives } from '@keytide/crypto-core/node';
import { loginBytes, type Subject } from '@keytide/relay-protocol';

/** Who logs in by hand, and where: `relayName` is what the signature says, `url` where it is sent. */
export interface RawLogin {
  readonly url: string;
  readonly relayName: string;
  readonly org: OrgId;
  readonly subject: Subject;
  readonly signer: Signer;
}

/** A status and a JSON body. */
export interface RawAnswer {
  readonly status: number;
  // oxlint-disable-next-line no-explicit-any
  readonly body: any;
}

/** A relay's answer to one call, without any of the client's checks. */
async function rawCall(url: string, body?: unknown, token?: string): Promise<RawAnswer> {
  const response = await fetch(url, {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: await response.json() };
}

/** Meets a fresh challenge; the relay's answer, with a token if it was content. */
export async function rawLogin({ url, relayName, org, subject, signer }: RawLogin): Promise<RawAnswer> {
  const base = `${url}/v1/organisations/${org}`;
  const { body } = await rawCall(`${base}/challenges`, { subject });
  const challenge = fromBase64Url(body.challenge as string) as Uint8Array;
  const claim = loginBytes({ relayName, org, subject, challenge });
  const signature = toBase64Url(signBytes(primitives, signer, 'login', claim));
  return await rawCall(`${base}/sessions`, { subject, challenge: body.challenge as string, signature });
}

/** Logs in and adds an entry to the membership log; the relay's answer. */
export async function rawAppend(login: RawLogin, wire: Uint8Array): Promise<RawAnswer> {
  const { body } = await rawLogin(login);
  const url = `${login.url}/v1/organisations/${login.org}/log`;
  return await rawCall(url, { entry: toBase64Url(wire) }, body.token as string);
}

/** The membership log as a relay shows it to whoever logs in; `null` for who may not. */
export async function rawLog(login: RawLogin): Promise<Uint8Array[] | null> {
  const { body } = await rawLogin(login);
  if (typeof body.token !== 'string') return null;
  const wires: Uint8Array[] = [];
  for (;;) {
    const url = `${login.url}/v1/organisations/${login.org}/log?from=${wires.length}`;
    const { status, body: page } = await rawCall(url, undefined, body.token as string);
    if (status !== 200) return null;
    wires.push(...(page.entries as string[]).map((entry) => fromBase64Url(entry) as Uint8Array));
    if (wires.length >= page.size) return wires;
  }
}
