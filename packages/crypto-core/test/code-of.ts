import { CryptoError, type CryptoErrorCode } from '@keytide/crypto-core';

/** The code of the CryptoError that `act` throws; fails on another error, `null` when nothing is thrown. */
export function codeOf(act: () => unknown): CryptoErrorCode | null {
  try {
    act();
  } catch (error) {
    if (error instanceof CryptoError) return error.code;
    throw error;
  }
  return null;
}

/** As `codeOf`, for what answers later. */
export async function codeOfAsync(act: () => Promise<unknown>): Promise<CryptoErrorCode | null> {
  try {
    await act();
  } catch (error) {
    if (error instanceof CryptoError) return error.code;
    throw error;
  }
  return null;
}
