// Express with the middleware, on a port.
import assert from "node:assert/strict";
import { createServer, get } from "node:http";
import { test } from "node:test";
import express, { type NextFunction, type Request, type Response as Answer } from "express";
import { InvalidRequest } from "@ragauth/client";
import { relayRefusals, requireKey, verdictOf } from "@ragauth/client/express";
import { customer, hangsUp, hasty, listening, owner, ragauth, standIn, url } from "./support.js";

const app = express();
app.set("trust proxy", "loopback");
app.get("/", requireKey(ragauth, { scope: "query" }), (request, response) => {
  response.json({ account: verdictOf(request).account_id });
});
app.get("/open", (request, response) => void response.json(verdictOf(request)));
app.post(
  "/agents/:agent",
  express.json(),
  requireKey(ragauth, (request) => ({
    agent_id: request.params.agent,
    reserve: { tokens: request.body.tokens },
  })),
  async (request, response) => {
    const verdict = verdictOf(request);
    const answer = await ragauth.withReservation(verdict, async (reservation) => {
      reservation.add("tokens", 3);
      const larger = await ragauth.verify(request.header("X-API-Key") ?? "", {
        cost: 10_000,
      });
      return ragauth.withReservation(larger, () => "large");
    });
    response.send(answer);
  },
);
app.get(
  "/typed",
  requireKey(ragauth, (request: Request) => ({ scope: String(request.query["scope"]) })),
);
app.get("/forgotten", requireKey(ragauth, (() => undefined) as never), (_request, response) => {
  response.send("in");
});
app.get(
  "/answered",
  (_request, response, next) => {
    next();
    response.send("another was faster");
  },
  requireKey(ragauth),
  (_request, response) => void response.send("in"),
);
app.use(relayRefusals());
app.use((error: Error, _request: Request, response: Answer, _next: NextFunction) => {
  if (!response.headersSent) response.status(500).send(error.name);
});
const base = await listening(createServer(app));

test("Express: a key that may do it reaches the route, and is told what is left", async () => {
  const key = await customer();
  const answer = await fetch(base, { headers: { Authorization: `Bearer ${key.api_key}` } });
  assert.deepEqual([answer.status, await answer.json()], [200, { account: key.account }]);
  assert.match(answer.headers.get("RateLimit") ?? "", /"month";r=/);
});

test("Express: a refusal is relayed as it is, with status, headers and body", async () => {
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

function ask(key: string, agent: string, tokens: unknown, address = "203.0.113.7") {
  return fetch(`${base}/agents/${agent}`, {
    method: "POST",
    headers: {
      "X-API-Key": key,
      "X-Forwarded-For": address,
      "Content-Type": "application/json",
    },
    body: JSON.stringify({ tokens }),
  });
}

test("Express: the question is made from the request, and its address is Express' own", async () => {
  const { api_key: key, agent } = await owner({ allowed_ips: ["203.0.113.7"] });
  assert.equal((await ask(key, "none", 1)).status, 404);
  assert.equal((await ask(key, agent, 1, "198.51.100.1")).status, 403);
  assert.equal((await ask(key, agent, 10 ** 9)).status, 429);
  const wrong = await ask(key, agent, "many");
  assert.deepEqual([wrong.status, await wrong.text()], [500, InvalidRequest.name]);
});

test("Express: what a handler throws as Refused is relayed", async () => {
  const { api_key: key, agent } = await owner({ allowed_ips: ["203.0.113.7"] });
  const answer = await ask(key, agent, 10);
  // The check inside of the handler has told no address.
  const { error } = await answer.json();
  assert.deepEqual([answer.status, error.details], [403, { reason: "ip_not_allowed" }]);
});

test("Express: two credentials in headers of one name are none", async () => {
  const { api_key: key } = await customer();
  const statuses = [`Bearer ${key}`, [`Bearer ${key}`, "Bearer other"]].map(
    (Authorization) =>
      new Promise((resolve) => {
        get(base, { headers: { Authorization } }, (answer) => resolve(answer.resume().statusCode));
      }),
  );
  assert.deepEqual(await Promise.all(statuses), [200, 401]);
});

test("Express: a route that nobody guards has no verdict", async () => {
  assert.equal((await fetch(`${base}/open`)).status, 500);
});

test("Express: a function that returns no question lets nobody in", async () => {
  const { api_key: key } = await customer();
  const answer = await fetch(`${base}/forgotten`, { headers: { "X-API-Key": key } });
  assert.deepEqual([answer.status, await answer.text()], [500, "TypeError"]);
});

test("Express: an answer that was sent in the meantime ends the request, not the program", async () => {
  const { api_key: key } = await customer();
  const answer = await fetch(`${base}/answered`, { headers: { "X-API-Key": key } });
  assert.equal(await answer.text(), "another was faster");
  assert.equal((await fetch(base, { headers: { "X-API-Key": key } })).status, 200);
});

test("Express: nobody is let in while ragauth is away", async () => {
  const { url: place } = await standIn(hangsUp);
  const closed = express();
  closed.use(requireKey(hasty(place).client), (_request, response) => void response.send("in"));
  const answer = await fetch(await listening(createServer(closed)), {
    headers: { "X-API-Key": "x" },
  });
  assert.deepEqual([answer.status, answer.headers.get("Retry-After")], [503, "2"]);
  assert.equal((await answer.json()).error.code, "EXTERNAL_SERVICE_ERROR");
});
