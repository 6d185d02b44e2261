// ragauth is away, or something else answers in its place: nobody is let in, nothing counts twice.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import * as client from "@ragauth/client";
import {
  answers,
  failure,
  fails,
  hangsUp,
  hasty,
  isSilent,
  listening,
  standIn,
  VERDICT,
} from "./support.js";

const REFUSED = [false, 503, "EXTERNAL_SERVICE_ERROR"];

function seen({ valid, status, code }: client.Verdict): unknown[] {
  return [valid, status, code];
}

test("a check that may have arrived is never sent twice", async () => {
  for (const reply of [
    hangsUp,
    isSilent,
    fails(503, "EXTERNAL_SERVICE_ERROR"),
    fails(429, "RATE_LIMIT_EXCEEDED"),
    fails(500, "INTERNAL_ERROR"),
    answers(502, "<h1>Bad Gateway</h1>"),
    answers(200, '{"data": {"valid": tr'),
  ]) {
    const { url, arrived } = await standIn(reply);
    const { client: hurried } = hasty(url, { verifyTimeoutMs: 300 });
    const began = performance.now();
    const verdict = await hurried.verify("rag_live_x");
    assert.ok(performance.now() - began < 5_000);
    assert.deepEqual(seen(verdict), REFUSED);
    assert.equal(verdict.headers["Retry-After"], "2");
    assert.equal(arrived.length, 1);
  }
});

test("a check that was not sent is tried again", async () => {
  const server = createServer((_request, response) =>
    answers(200, { data: VERDICT })(response, _request),
  );
  const url = await listening(server);
  server.close();
  let tries = 0;
  const { client: patient } = hasty(url, {
    waitsMs: [200],
    verifyTimeoutMs: 20_000,
    fetch: async (input, init) => {
      tries += 1;
      if (tries === 2) await listening(server, Number(new URL(url).port));
      return fetch(input, init);
    },
  });
  assert.equal((await patient.verify("rag_live_x")).valid, true);
  assert.equal(tries, 2);
});

test("a check is over in its time, tries and waits together", async () => {
  const url = await closedPort();
  const { client: hurried } = hasty(url, { waitsMs: Array(1000).fill(50), verifyTimeoutMs: 200 });
  const began = performance.now();
  assert.deepEqual(seen(await hurried.verify("rag_live_x")), REFUSED);
  assert.ok(performance.now() - began < 5_000);
});

test("an outage lets in everybody where that was chosen, and the log says so", async () => {
  for (const reply of [hangsUp, fails(503, "EXTERNAL_SERVICE_ERROR"), answers(504, "")]) {
    const { url } = await standIn(reply);
    const { client: open, logged } = hasty(url, { onUnavailable: "allow" });
    const verdict = await open.verify("rag_live_x");
    assert.deepEqual([verdict.valid, verdict.is_unchecked, verdict.account_id], [true, true, null]);
    assert.match(logged.join(), /^warn: ragauth: let in without a check/);
    // There is nothing to settle, and the work is done.
    assert.equal(await open.withReservation(verdict, () => "done"), "done");
    // No credential is no outage.
    assert.equal((await open.check({})).status, 401);
  }
});

test("what answers in the place of ragauth lets nobody in, whatever was chosen", async () => {
  for (const reply of [
    answers(200, "<h1>It works</h1>"),
    answers(200, {}),
    answers(200, { data: null }),
    answers(200, { data: { valid: true } }),
    answers(200, { data: { ...VERDICT, valid: "true" } }),
    answers(200, { data: { ...VERDICT, status: 401 } }),
    answers(200, { data: { ...VERDICT, valid: false } }),
    answers(200, { data: { ...VERDICT, valid: false, status: 401 } }),
    answers(200, { data: { ...VERDICT, headers: null } }),
    answers(204, ""),
    answers(404, "<h1>Not Found</h1>"),
    fails(404, "TEAPOT"),
    fails(404, "constructor"),
    fails(401, "AUTHENTICATION_ERROR"),
    fails(403, "AUTHORIZATION_ERROR"),
  ]) {
    const { url } = await standIn(reply);
    const { client: open, logged } = hasty(url, { onUnavailable: "allow" });
    assert.deepEqual(seen(await open.verify("rag_live_x")), REFUSED);
    assert.match(logged.join(), /^error: ragauth: refused without a check/);
  }
});

test("a redirect is not followed, so the service key stays here", async () => {
  const elsewhere = await standIn(answers(200, { data: VERDICT }));
  for (const status of [301, 302, 303, 307, 308]) {
    const { url } = await standIn(answers(status, "", { Location: elsewhere.url }));
    const { client: led } = hasty(url);
    assert.deepEqual(seen(await led.verify("rag_live_x")), REFUSED);
    await assert.rejects(led.getAccount("acc_1"), client.UnexpectedAnswer);
  }
  assert.equal(elsewhere.arrived.length, 0);
});

test("settling and reporting are repeated with the same body until there is an answer", async () => {
  const settled = { reservation_id: "rsv_1", used: { tokens: 1 }, released: { tokens: 2 } };
  const trouble = [hangsUp, fails(503, "EXTERNAL_SERVICE_ERROR")];
  for (const [data, ask] of [
    [settled, (ragauth: client.Client) => ragauth.settle("rsv_1", { tokens: 1 })],
    [
      { accepted: 1, known: 0, rejected: [] },
      (ragauth: client.Client) =>
        ragauth.report([{ id: "1", key_id: "key_1", use: { tokens: 1 } }]),
    ],
  ] as const) {
    const { url, arrived } = await standIn(...trouble, answers(200, { data }));
    assert.deepEqual(await ask(hasty(url).client), data);
    assert.equal(arrived.length, 3);
    assert.equal(new Set(arrived.map(({ body }) => body)).size, 1);
  }
});

test("a POST that is repeated has the same Idempotency-Key, and another call another", async () => {
  const trouble = [hangsUp, fails(409, "CONFLICT"), answers(201, { data: { id: "key_1" } })];
  const { url, arrived } = await standIn(...trouble);
  const { client: ragauth } = hasty(url);
  await ragauth.createKey("acc_1", { name: "a key" });
  const names = arrived.map(({ idempotencyKey }) => idempotencyKey);
  assert.equal(names.length, 3);
  assert.equal(new Set(names).size, 1);
  await ragauth.createKey("acc_1", { name: "a key" });
  await ragauth.rotateKey("key_1", 60, { idempotencyKey: "order 17" });
  await ragauth.createAccount({ external_id: "1" });
  const later = arrived.slice(3).map(({ idempotencyKey }) => idempotencyKey);
  assert.equal(later[1], "order 17");
  assert.equal(new Set([...names, ...later]).size, 4);
  await assert.rejects(ragauth.createAccount({}, { idempotencyKey: "é" }), TypeError);
});

test("a conflict of a first try is told at once", async () => {
  const { url, arrived } = await standIn(fails(409, "CONFLICT"));
  await assert.rejects(hasty(url).client.createAccount({ external_id: "1" }), client.Conflict);
  assert.equal(arrived.length, 1);
});

test("a deletion whose answer was lost has happened", async () => {
  const lost = await standIn(hangsUp, fails(404, "NOT_FOUND"));
  assert.equal(await hasty(lost.url).client.revokeKey("key_1"), undefined);
  const unknown = await standIn(fails(404, "NOT_FOUND"));
  await assert.rejects(hasty(unknown.url).client.revokeKey("key_1"), client.NotFound);
});

test("Retry-After is waited for if it is short, and told if it is long", async () => {
  const long = await standIn(fails(429, "RATE_LIMIT_EXCEEDED", { "Retry-After": "3600" }));
  const told = await failure(hasty(long.url).client.getKey("key_1"), client.RateLimitExceeded);
  assert.equal(told.retryAfter, 3600);
  assert.equal(long.arrived.length, 1);
  const data = { id: "key_1" };
  const short = await standIn(
    fails(503, "EXTERNAL_SERVICE_ERROR", { "Retry-After": "1" }),
    answers(200, { data }),
  );
  const began = performance.now();
  assert.deepEqual(await hasty(short.url).client.getKey("key_1"), data);
  assert.ok(performance.now() - began >= 1_000);
});

test("a call ends with the reason of its signal, while it is sent and while it waits", async () => {
  const reason = new Error("the caller has gone");
  for (const [reply, options] of [
    [isSilent, {}],
    [fails(503, "EXTERNAL_SERVICE_ERROR"), { waitsMs: [4_000] }],
  ] as const) {
    const { url } = await standIn(reply);
    const { client: ragauth } = hasty(url, options);
    const stop = new AbortController();
    setTimeout(() => stop.abort(reason), 50);
    const { signal } = stop;
    const began = performance.now();
    await assert.rejects(ragauth.getKey("key_1", { signal }), reason);
    assert.ok(performance.now() - began < 2_500);
    await assert.rejects(ragauth.verify("rag_live_x", {}, { signal }), reason);
  }
});

test("a try that takes too long is ended, and the next one may succeed", async () => {
  const { url, arrived } = await standIn(isSilent, answers(200, { data: { id: "key_1" } }));
  const began = performance.now();
  await hasty(url, { timeoutMs: 300 }).client.getKey("key_1");
  assert.ok(performance.now() - began < 5_000);
  assert.equal(arrived.length, 2);
});

test("each code of ragauth is a class of its own", async () => {
  for (const [status, code, kind] of [
    [400, "VALIDATION_ERROR", client.InvalidRequest],
    [401, "AUTHENTICATION_ERROR", client.AuthenticationFailed],
    [403, "AUTHORIZATION_ERROR", client.NotAllowed],
    [404, "NOT_FOUND", client.NotFound],
    [409, "CONFLICT", client.Conflict],
    [429, "RATE_LIMIT_EXCEEDED", client.RateLimitExceeded],
    [429, "USAGE_LIMIT_EXCEEDED", client.UsageLimitExceeded],
    [500, "INTERNAL_ERROR", client.InternalError],
    [503, "EXTERNAL_SERVICE_ERROR", client.Unavailable],
    [418, "UNEXPECTED_ANSWER", client.UnexpectedAnswer],
  ] as const) {
    const { url } = await standIn(fails(status, code, { "X-Request-Id": "r1" }));
    const told = await failure<client.RagauthError>(hasty(url).client.getKey("key_1"), kind);
    assert.deepEqual([told.code, told.status, told.requestId], [code, status, "r1"]);
    assert.deepEqual(
      [told.name, told.details],
      [kind.name, code === "UNEXPECTED_ANSWER" ? {} : { reason: "why" }],
    );
  }
});

test("a client that cannot work is not made", () => {
  for (const [url, key, options] of [
    ["ragauth.example.com", "rag_svc_x", {}],
    ["http://", "rag_svc_x", {}],
    ["https://user:password@ragauth.example.com", "rag_svc_x", {}],
    ["https://ragauth.example.com/?x=1", "rag_svc_x", {}],
    ["https://ragauth.example.com", "", {}],
    ["https://ragauth.example.com", "rag_svc_x\n", {}],
    ["https://ragauth.example.com", "rag_svc_x", { onUnavailable: "Allow" as "allow" }],
    ["https://ragauth.example.com", "rag_svc_x", { verifyTimeoutMs: 0 }],
    ["https://ragauth.example.com", "rag_svc_x", { timeoutMs: Infinity }],
  ] as const) {
    assert.throws(() => new client.Client(url, key, options), TypeError);
  }
});

async function closedPort(): Promise<string> {
  const server = createServer();
  const url = await listening(server);
  await new Promise((resolve) => server.close(resolve));
  return url;
}
