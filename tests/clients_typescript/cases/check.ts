// A key is checked: what the service says is what the caller gets.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Client, InvalidRequest, refusal } from "@ragauth/client";
import { customer, failure, owner, ragauth, serviceKey, url } from "./support.js";

test("a valid key has a verdict with whose it is and what is left", async () => {
  const key = await customer({ metadata: { team: "blue" } });
  const verdict = await ragauth.verify(key.api_key, { scope: "query", cost: 2 });
  assert.equal(verdict.valid, true);
  assert.equal(verdict.is_unchecked, false);
  assert.deepEqual(
    [verdict.account_id, verdict.key_id, verdict.plan],
    [key.account, key.id, "team"],
  );
  assert.deepEqual(verdict.metadata, { team: "blue" });
  assert.match(verdict.headers["RateLimit"] ?? "", /"month";r=999998/);
});

test("a refusal is a verdict whose answer is the service's own to the byte", async () => {
  const key = await customer({ limits: [{ meter: "requests", window: "hour", size: 1 }] });
  await ragauth.verify(key.api_key);
  const [limited, unknown] = [key.api_key, "rag_live_wrong"];
  for (const [presented, status, header] of [
    [limited, 429, "Retry-After"],
    [unknown, 401, "WWW-Authenticate"],
  ] as const) {
    const verdict = await ragauth.verify(presented);
    assert.deepEqual([verdict.valid, verdict.status], [false, status]);
    const [relayed, own] = [refusal(verdict), await authorize(presented)];
    assert.equal(relayed.status, own.status);
    assert.deepEqual(await relayed.json(), await own.json());
    assert.equal(relayed.headers.get("Content-Type"), own.headers.get("Content-Type"));
    const [told, there] = [relayed.headers.get(header), own.headers.get(header)];
    // A second may have passed between the two.
    if (header === "Retry-After") assert.ok(Math.abs(Number(told) - Number(there)) <= 5);
    else assert.equal(told, there);
  }
  assert.throws(() => refusal({ ...VALID }), TypeError);
});

test("a question that ragauth does not understand throws with the place of each fault", async () => {
  const key = await customer();
  const wrong = ragauth.verify(key.api_key, { scope: "undeclared", cost: -1 });
  const fault = await failure(wrong, InvalidRequest);
  assert.deepEqual(fault.issues.map(({ path }) => path[0]).sort(), ["cost", "scope"]);
  assert.deepEqual([fault.status, fault.code], [400, "VALIDATION_ERROR"]);
  assert.ok(fault.requestId);
});

test("a question that says undefined is not asked, for less than was meant would be", async () => {
  const { api_key: apiKey, agent } = await owner();
  const parameters: Record<string, any> = { agent };
  await assert.rejects(ragauth.check({ apiKey }, { agent_id: parameters["agnet"] }), TypeError);
  assert.equal((await ragauth.check({ apiKey }, { agent_id: parameters["agent"] })).valid, true);
});

test("any text may be presented as a key, of any length", async () => {
  for (const text of ["", "\u0000", "é", "\ud800", "x".repeat(2 ** 20), '{"key": 1}']) {
    const verdict = await ragauth.verify(text);
    assert.deepEqual([verdict.status, verdict.reason], [401, "malformed"], text.slice(0, 20));
  }
});

test("a request shows one key, in either header, or is refused as ragauth does it", async () => {
  const { api_key: key } = await customer();
  const good = [
    { authorization: `Bearer ${key}` },
    { authorization: `bearer   ${key} ` },
    { apiKey: ` ${key}` },
    { apiKey: key, authorization: "Bearer" },
    { apiKey: key, authorization: `Bearer ${key}` },
  ];
  for (const presented of good) {
    assert.equal((await ragauth.check(presented)).valid, true, JSON.stringify(presented));
  }
  const bad: [Record<string, string>, string][] = [
    [{}, "missing"],
    [{ authorization: "" }, "missing"],
    [{ authorization: "Bearer" }, "missing"],
    [{ authorization: "Basic eDp5" }, "malformed"],
    [{ authorization: key }, "malformed"],
    [{ authorization: `Bearer ${key} ${key}` }, "malformed"],
    [{ authorization: `Bearer ${key}, Bearer ${key}` }, "malformed"],
    [{ authorization: `Bearer ${key}`, apiKey: "another" }, "malformed"],
  ];
  for (const [presented, reason] of bad) {
    const verdict = await ragauth.check(presented);
    assert.deepEqual([verdict.status, verdict.reason], [401, reason], JSON.stringify(presented));
    const { authorization, apiKey } = presented;
    const own = await fetch(`${url}/api/v1/authorize`, {
      headers: {
        ...(authorization !== undefined && { Authorization: authorization }),
        ...(apiKey !== undefined && { "X-API-Key": apiKey }),
      },
    });
    const relayed = refusal(verdict);
    assert.deepEqual(await relayed.json(), await own.json(), JSON.stringify(presented));
    const challenge = own.headers.get("WWW-Authenticate");
    assert.equal(relayed.headers.get("WWW-Authenticate"), challenge, JSON.stringify(presented));
  }
});

test("address and origin of a request are told, and texts that are none are not", async () => {
  const { api_key: key } = await customer({ allowed_ips: ["203.0.113.0/24"] });
  const from = async (clientIp?: string) =>
    (await ragauth.check({ apiKey: key, clientIp, origin: "é\u0000".repeat(999) })).reason;
  assert.equal(await from("203.0.113.7"), null);
  assert.equal(await from("198.51.100.7"), "ip_not_allowed");
  for (const text of [undefined, "", "é", "x".repeat(5000)]) {
    assert.equal(await from(text), "ip_not_allowed", text);
  }
});

test("an agent that cannot be is not found, whatever the path says", async () => {
  const { api_key: apiKey } = await customer();
  const verdict = await ragauth.check({ apiKey }, { agent_id: "../none" });
  assert.deepEqual([verdict.status, verdict.code], [404, "NOT_FOUND"]);
  assert.equal((await refusal(verdict).json()).error.code, "NOT_FOUND");
});

test("a service key that is refused lets nobody in, and the log says so", async () => {
  const { api_key: key } = await customer();
  const logged: string[] = [];
  const log = { warn: assert.fail, error: (text: string) => void logged.push(text) };
  for (const wrong of [`${serviceKey.slice(0, -1)}!`, key]) {
    const client = new Client(url, wrong, {
      onUnavailable: "allow",
      verifyTimeoutMs: 30_000,
      log,
    });
    const verdict = await client.verify(key);
    assert.deepEqual([verdict.valid, verdict.status], [false, 503]);
    assert.ok(verdict.headers["Retry-After"]);
  }
  assert.equal(logged.length, 2);
  assert.match(logged[0] ?? "", /refused without a check/);
});

const VALID = await ragauth.verify((await customer()).api_key);

async function authorize(key: string): Promise<Response> {
  return fetch(`${url}/api/v1/authorize`, { headers: { "X-API-Key": key } });
}
