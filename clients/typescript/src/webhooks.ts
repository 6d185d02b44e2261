/** Webhooks of ragauth: is it its own, is it fresh? (Standard Webhooks 1.0) */

import type { webhooks } from "./openapi.js";
import { webCrypto } from "./web-crypto.js";

/**
 * A message of ragauth, by its `type`. `id` is the `webhook-id`: the same in each attempt, so
 * remember it for four days. A newer ragauth may tell of further types.
 */
export type WebhookMessage = { id: string } & Told[keyof Told];

type Told = {
  [Type in keyof webhooks]: webhooks[Type]["post"]["requestBody"]["content"]["application/json"];
};

export interface WebhookOptions {
  /** How far its time may lie from this clock's, in seconds (300). */
  toleranceSeconds?: number;
}

/** It is not ragauth's, not fresh, or was changed on its way: answer 400. */
export class InvalidWebhook extends Error {
  override readonly name = "InvalidWebhook";
}

type AnyHeaders = Headers | Record<string, string | string[] | undefined>;

const PREFIX = "whsec_";
const SIGNATURE = /^v1,([A-Za-z0-9+/]{43}=)$/;

/**
 * The message in a request, if it was signed with the secret, or with one of several.
 *
 * `body` is the request's own, to the byte: not what a framework parsed and wrote again. Throws
 * InvalidWebhook, and TypeError for a secret that is none or a body that was parsed.
 */
export async function verifyWebhook(
  body: string | Uint8Array,
  headers: AnyHeaders,
  secrets: string | readonly string[],
  { toleranceSeconds = 300 }: WebhookOptions = {},
): Promise<WebhookMessage> {
  if (typeof body !== "string" && !(body instanceof Uint8Array)) {
    throw new TypeError("the body of a webhook is verified as it came, before it is parsed");
  }
  const keys = (typeof secrets === "string" ? [secrets] : secrets).map(bytesOfSecret);
  if (keys.length === 0) throw new TypeError("a webhook is verified with one secret or more");
  const id = headerOf(headers, "webhook-id");
  const time = headerOf(headers, "webhook-timestamp");
  if (!id || !/^\d{1,12}$/.test(time)) throw new InvalidWebhook("it has no id or no time");
  if (Math.abs(Date.now() / 1000 - Number(time)) > toleranceSeconds) {
    throw new InvalidWebhook("its time is too far from now");
  }
  const signed = joined(`${id}.${time}.`, body);
  const told = headerOf(headers, "webhook-signature").split(" ").map(bytesOfSignature);
  const made = await Promise.all(keys.map((key) => signatureOf(signed, key)));
  if (!made.some((signature) => told.some((other) => other && areEqual(signature, other)))) {
    throw new InvalidWebhook("none of its signatures is of this secret");
  }
  return { id, ...messageIn(body) };
}

function messageIn(body: string | Uint8Array): Told[keyof Told] {
  const text = typeof body === "string" ? body : new TextDecoder().decode(body);
  try {
    const { type, timestamp, data } = JSON.parse(text);
    if (typeof type === "string" && typeof timestamp === "string" && data) {
      return { type, timestamp, data } as Told[keyof Told];
    }
  } catch (cause) {
    throw new InvalidWebhook("it is no JSON", { cause });
  }
  throw new InvalidWebhook("it has no type, no timestamp or no data");
}

/** Some frameworks write names as they came, others in lower case. */
function headerOf(headers: AnyHeaders, name: string): string {
  const pairs = headers instanceof Headers ? [...headers] : Object.entries(headers);
  const [, value] = pairs.find(([other]) => other.toLowerCase() === name) ?? [];
  return (Array.isArray(value) ? value.join(" ") : value) ?? "";
}

function bytesOfSecret(secret: string): Uint8Array<ArrayBuffer> {
  const text = secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : "";
  if (!/^[A-Za-z0-9+/]{16,}={0,2}$/.test(text)) {
    throw new TypeError("a webhook's secret begins with whsec_, and base64 follows");
  }
  return bytesOf(text);
}

/** The bytes of `v1,<base64>`; null for a signature of another kind, which proves nothing. */
function bytesOfSignature(text: string): Uint8Array | null {
  const [, encoded] = SIGNATURE.exec(text) ?? [];
  return encoded === undefined ? null : bytesOf(encoded);
}

function bytesOf(encoded: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0));
}

function joined(head: string, body: string | Uint8Array): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  const first = encoder.encode(head);
  const second = typeof body === "string" ? encoder.encode(body) : body;
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

async function signatureOf(
  signed: Uint8Array<ArrayBuffer>,
  secret: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array> {
  const { subtle } = await webCrypto();
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await subtle.importKey("raw", secret, algorithm, false, ["sign"]);
  return new Uint8Array(await subtle.sign("HMAC", key, signed));
}

/** Compared whole: the time that it takes does not tell how much of a guess is right. */
function areEqual(one: Uint8Array, other: Uint8Array): boolean {
  let differences = one.length ^ other.length;
  one.forEach((byte, place) => (differences |= byte ^ (other[place] ?? 0)));
  return differences === 0;
}
