// Hono with the middleware, behind @hono/node-server and on its own.
import assert from "node:assert/strict";
import type { Server } from "node:http";
import { test } from "node:test";
import { createAdaptorServer } from "@hono/node-server";
import { Hono } from "hono";
import { requireKey, verdictOf } from "@ragauth/client/hono";
import { customer, listening, owner, ragauth, url } from "./support.js";

const app = new Hono<{ Variables: { seen: string } }>();
app.get("/", requireKey(ragauth, { scope: "query" }), (context) => {
  return context.json({ account: verdictOf(context).account_id });
});
app.get("/open", (context) => context.json(verdictOf(context)));
app.post(
  "/agents/:agent",
  requireKey(ragauth, async (context) => ({
    agent_id: context.req.param("agent"),
    reserve: { tokens: (await context.req.json()).tokens },
  })),
  async (context) => {
    const limited = await ragauth.verify("rag_live_wrong");
    return ragauth.withReservation(limited, () => context.text("large"));
  },
);
const told = { clientIp: () => "203.0.113.7" };
app.get(
  "/behind",
  requireKey(ragauth, {}, told),
  () => new Response("in", { headers: { RateLimit: "mine" } }),
);
app.use("/below/*", requireKey(ragauth));
app.get("/below/it", (context) => context.text(verdictOf(context).key_id ?? ""));
const base = await listening(createAdaptorServer({ fetch: app.fetch }) as Server);

test("Hono: a key that may do it reaches the route, and is told what is left", async () => {
  const key = await customer();
  const answer = await fetch(base, { headers: { Authorization: `Bearer ${key.api_key}` } });
  assert.deepEqual([answer.status, await answer.json()], [200, { account: key.account }]);
  assert.match(answer.headers.get("RateLimit") ?? "", /"month";r=/);
  const below = await fetch(`${base}/below/it`, { headers: { "X-API-Key": key.api_key } });
  assert.equal(await below.text(), key.id);
});

test("Hono: a refusal is relayed as it is, with status, headers and body", async () => {
  const limited = await customer({ limits: [{ meter: "requests", window: "day", size: 0 }] });
  for (const key of ["rag_live_wrong", limited.api_key, undefined]) {
    const headers = key === undefined ? {} : { "X-API-Key": key };
    const answer = await fetch(base, { headers });
    const own = await fetch(`${url}/api/v1/authorize?scope=query`, { headers });
    assert.equal(answer.status, own.status);
    assert.equal(await answer.text(), await own.text());
    for (const name of ["Content-Type", "WWW-Authenticate", "RateLimit-Policy"]) {
      assert.equal(answer.headers.get(name), own.headers.get(name), name);
    }
    assert.equal(answer.headers.has("Retry-After"), own.headers.has("Retry-After"));
  }
});

test("Hono: the address is the peer's, or what the program says, and never a header's", async () => {
  const { api_key: key } = await customer({ allowed_ips: ["203.0.113.7"] });
  const headers = { "X-API-Key": key, "X-Forwarded-For": "203.0.113.7" };
  assert.equal((await fetch(base, { headers })).status, 403);
  assert.equal((await app.request("/", { headers })).status, 403);
  const local = await customer({ allowed_ips: ["127.0.0.1"] });
  assert.equal((await fetch(base, { headers: { "X-API-Key": local.api_key } })).status, 200);
  const answer = await app.request("/behind", { headers });
  assert.deepEqual([answer.status, answer.headers.get("RateLimit")], [200, "mine"]);
});

test("Hono: the question is made from the request, and what a handler throws is relayed", async () => {
  const { api_key: key, agent } = await owner();
  const ask = (agent: string, tokens: number) =>
    app.request(`/agents/${agent}`, {
      method: "POST",
      headers: { "X-API-Key": key },
      body: JSON.stringify({ tokens }),
    });
  assert.equal((await ask("none", 1)).status, 404);
  assert.equal((await ask(agent, 10 ** 10)).status, 429);
  const relayed = await ask(agent, 1);
  const { error } = await relayed.json();
  assert.deepEqual([relayed.status, error.details], [401, { reason: "malformed" }]);
});

test("Hono: a route that nobody guards has no verdict", async () => {
  assert.equal((await app.request("/open")).status, 500);
});
