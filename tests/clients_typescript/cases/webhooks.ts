// Webhooks are verified as Standard Webhooks says, against its own package.
import assert from "node:assert/strict";
import { createServer, type IncomingHttpHeaders } from "node:http";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { InvalidWebhook, verifyWebhook } from "@ragauth/client/webhooks";
import { Webhook } from "standardwebhooks";
import { customer, listening, ragauth, serviceKey, url } from "./support.js";

const SECRET = `whsec_${btoa("a secret of the cases, 32 bytes.")}`;
const OTHER = `whsec_${btoa("another secret of it, 32 bytes..")}`;
const CONTENT = { type: "api_key.revoked", timestamp: "2026-01-15T10:30:00Z", data: { by: "é" } };
const BODY = JSON.stringify(CONTENT);

function signed(secret = SECRET, body = BODY, secondsAgo = 0): Record<string, string> {
  const at = new Date(Date.now() - secondsAgo * 1000);
  return {
    "webhook-id": "msg_1",
    "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
    "webhook-signature": new Webhook(secret).sign("msg_1", at, body),
  };
}

test("a webhook that is signed is read, from text and bytes, with headers of either kind", async () => {
  const headers = signed();
  const message = { id: "msg_1", ...CONTENT };
  assert.deepEqual(await verifyWebhook(BODY, headers, SECRET), message);
  assert.deepEqual(await verifyWebhook(new TextEncoder().encode(BODY), headers, SECRET), message);
  assert.deepEqual(await verifyWebhook(Buffer.from(BODY), new Headers(headers), SECRET), message);
  const named = Object.entries(headers).map(([name, value]) => [name.toUpperCase(), [value]]);
  assert.deepEqual(await verifyWebhook(BODY, Object.fromEntries(named), SECRET), message);
});

test("a webhook of the running service is verified, and typed by its type", async () => {
  let tell: (told: [string, IncomingHttpHeaders]) => void = () => assert.fail();
  const arrived = new Promise<[string, IncomingHttpHeaders]>((resolve) => (tell = resolve));
  const endpoint = createServer(async (request, response) => {
    tell([await text(request), request.headers]);
    response.end();
  });
  const made = await fetch(`${url}/api/v1/internal/webhooks`, {
    method: "POST",
    headers: { "X-API-Key": serviceKey, "Content-Type": "application/json" },
    body: JSON.stringify({ url: await listening(endpoint), events: ["api_key.revoked"] }),
  });
  const key = await customer();
  await ragauth.revokeKey(key.id);
  const message = await verifyWebhook(...(await arrived), (await made.json()).data.secret);
  assert.ok(message.type === "api_key.revoked");
  assert.equal(message.data.key_id, key.id);
});

test("a webhook is refused if anything of it is another's", async () => {
  const headers = signed();
  const [, signature = ""] = (headers["webhook-signature"] ?? "").split(",");
  const flipped = `${signature[0] === "A" ? "B" : "A"}${signature.slice(1)}`;
  for (const [body, changed, secret] of [
    [`${BODY} `, {}, SECRET],
    [BODY, { "webhook-id": "msg_2" }, SECRET],
    [BODY, { "webhook-timestamp": String(Number(headers["webhook-timestamp"]) + 1) }, SECRET],
    [BODY, {}, OTHER],
    [BODY, { "webhook-signature": `v1,${flipped}` }, SECRET],
    [BODY, { "webhook-signature": `v1a,${signature}` }, SECRET],
    [BODY, { "webhook-signature": `v2,${signature}` }, SECRET],
    [BODY, { "webhook-signature": signature }, SECRET],
    [BODY, { "webhook-signature": `v1,${signature.slice(0, 20)}` }, SECRET],
    [BODY, { "webhook-signature": "v1," }, SECRET],
    [BODY, { "webhook-signature": "" }, SECRET],
    [BODY, { "webhook-signature": undefined }, SECRET],
    [BODY, { "webhook-id": undefined }, SECRET],
    [BODY, { "webhook-timestamp": undefined }, SECRET],
    [BODY, { "webhook-timestamp": "soon" }, SECRET],
    ["[]", signed(SECRET, "[]"), SECRET],
    ['{"type": "a", "timestamp": "b"}', signed(SECRET, '{"type": "a", "timestamp": "b"}'), SECRET],
    ["no", signed(SECRET, "no"), SECRET],
  ] as const) {
    const verified = verifyWebhook(body, { ...headers, ...changed }, secret);
    await assert.rejects(verified, InvalidWebhook, JSON.stringify([body, changed]));
  }
});

test("a webhook is fresh for five minutes, in both directions", async () => {
  for (const seconds of [290, -290])
    await verifyWebhook(BODY, signed(SECRET, BODY, seconds), SECRET);
  for (const seconds of [310, -310, 10 ** 9]) {
    await assert.rejects(
      verifyWebhook(BODY, signed(SECRET, BODY, seconds), SECRET),
      InvalidWebhook,
    );
  }
  const old = signed(SECRET, BODY, 310);
  await verifyWebhook(BODY, old, SECRET, { toleranceSeconds: 600 });
});

test("two secrets overlap while one is rotated, on either side", async () => {
  const [mine, others] = [signed()["webhook-signature"], signed(OTHER)["webhook-signature"]];
  const both = { ...signed(), "webhook-signature": `v2,x ${others} ${mine}` };
  await verifyWebhook(BODY, both, SECRET);
  await verifyWebhook(BODY, both, OTHER);
  await verifyWebhook(BODY, signed(OTHER), [SECRET, OTHER]);
});

test("a body that was parsed is the program's mistake", async () => {
  await assert.rejects(verifyWebhook(JSON.parse(BODY), signed(), SECRET), TypeError);
});

test("a secret that is none is told apart from a webhook that is wrong", async () => {
  for (const secret of ["", "secret", "whsec_", "whsec_ä", SECRET.slice(6), []]) {
    await assert.rejects(verifyWebhook(BODY, signed(), secret), TypeError);
  }
});

test("a webhook is verified where WebCrypto is no global, as in Node 18", async () => {
  const there = Object.getOwnPropertyDescriptor(globalThis, "crypto");
  Object.defineProperty(globalThis, "crypto", { value: undefined, configurable: true });
  try {
    await verifyWebhook(BODY, signed(), SECRET);
  } finally {
    if (there) Object.defineProperty(globalThis, "crypto", there);
  }
});
