// A sample API on Express whose requests are authorised by ragauth.
//
//     RAGAUTH_URL=http://127.0.0.1:8000 RAGAUTH_SERVICE_KEY=rag_svc_... node app.mjs
//
// Without RAGAUTH_URL it asks 127.0.0.1, at PORT as for `make run`. It listens on 127.0.0.1, on
// SERVICE_PORT (9000). README.md tells what it does.
import express from "express";
import { Client } from "@ragauth/client";
import { requireKey, verdictOf } from "@ragauth/client/express";
import { countTokens, generate } from "./model.mjs";

const { PORT, RAGAUTH_URL, RAGAUTH_SERVICE_KEY, SERVICE_PORT } = process.env;
if (!RAGAUTH_SERVICE_KEY) fail("set RAGAUTH_SERVICE_KEY, a key with the scope verify");
const ragauth = new Client(RAGAUTH_URL || `http://127.0.0.1:${PORT || 8000}`, RAGAUTH_SERVICE_KEY);
const MOST_TOKENS = 4000;

const app = express();
app.disable("x-powered-by");
app.use(express.json());

app.get("/healthz", (_request, response) => void response.json({ data: { status: "ok" } }));

app.post("/documents", requireKey(ragauth, { scope: "ingest" }), (request, response) => {
  response.json({
    data: { bytes: JSON.stringify(request.body ?? {}).length, ...caller(request) },
  });
});

app.post("/agents/:agent/query", requireKey(ragauth, askQuery), (request, response) => {
  const answer = [...generate(question(request))].join(" ");
  response.json({ data: { answer, ...caller(request) } });
});

// How long the answer will be is not known before: what it may use at most is reserved, so that it
// is refused before it begins, and settled by what it has used, also where the client hangs up.
app.post(
  "/agents/:agent/query/stream",
  requireKey(ragauth, askStream),
  async (request, response) => {
    const reservation = ragauth.settling(verdictOf(request));
    reservation.add("tokens", countTokens(question(request)));
    response.on("close", () => void reservation.settle());
    response.writeHead(200, {
      "Content-Type": "text/event-stream",
      "Cache-Control": "no-store",
    });
    for (const token of generate(question(request))) {
      // Where the client left during the check, "close" was told to nobody: settled below.
      if (response.closed) break;
      reservation.add("tokens");
      response.write(`data: ${JSON.stringify({ token })}\n\n`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await reservation.settle();
    response.end(`event: done\ndata: ${JSON.stringify(reservation.used)}\n\n`);
  },
);

function askQuery(request) {
  return { scope: "query", agent_id: request.params.agent };
}

function askStream(request) {
  const tokens = countTokens(question(request)) + MOST_TOKENS;
  return { ...askQuery(request), reserve: { tokens } };
}

function question(request) {
  return String(request.body?.message ?? "");
}

function caller(request) {
  const { account_id, key_id, plan, scopes } = verdictOf(request);
  return { caller: { account_id, key_id, plan, scopes } };
}

function fail(message) {
  console.error(message);
  process.exit(1);
}

const port = SERVICE_PORT || 9000;
app.listen(Number(port), "127.0.0.1", (error) => {
  if (error)
    fail(`127.0.0.1:${port} cannot be served: ${error.message}. SERVICE_PORT chooses another`);
  console.log(`The sample service is at http://127.0.0.1:${port} (Ctrl-C ends it)`);
});
