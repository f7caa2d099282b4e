/** The address of a server with the password in it; or what answers with it, asked at each new connection. */
export type Address = string | (() => string);

/** The address to connect to now. */
export function addressNow(address: Address): string {
  return typeof address === 'string' ? address : address();
}
