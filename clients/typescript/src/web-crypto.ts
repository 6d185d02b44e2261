/** WebCrypto, which Node 18 has in a module and all other runtimes have as a global. */

// The name of a module in a variable: a bundler for a browser must not look for it.
const NODES = "node:crypto";

export async function webCrypto(): Promise<Crypto> {
  return globalThis.crypto ?? ((await import(NODES)) as { webcrypto: Crypto }).webcrypto;
}
