// What the cases share: the running service, its customers, and a stand-in that answers by a script.
import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after } from "node:test";
import {
  Client,
  type ClientOptions,
  type IssuedKey,
  type KeyChanges,
  type NewKey,
} from "@ragauth/client";

export const url = process.env["RAGAUTH_URL"] ?? "";
export const serviceKey = process.env["RAGAUTH_SERVICE_KEY"] ?? "";
export const ragauth = new Client(url, serviceKey, { timeoutMs: 30_000, verifyTimeoutMs: 30_000 });

/** What a promise is rejected with, which must be an error of a kind. */
export async function failure<E extends Error>(
  work: Promise<unknown>,
  kind: abstract new (...given: never[]) => E,
): Promise<E> {
  const error = await work.then(
    () => assert.fail("it succeeded"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof kind, String(error));
  return error;
}

/** A client whose first answer is lost on its way back: the call has arrived. */
export function unlucky(): { client: Client; sent: () => number } {
  let sent = 0;
  const client = new Client(url, serviceKey, {
    timeoutMs: 30_000,
    verifyTimeoutMs: 30_000,
    waitsMs: [1, 1],
    log: { warn: assert.fail, error: () => undefined },
    fetch: async (input, init) => {
      sent += 1;
      const answer = await fetch(input, init);
      if (sent > 1) return answer;
      throw new TypeError("fetch failed", { cause: { code: "ECONNRESET", syscall: "read" } });
    },
  });
  return { client, sent: () => sent };
}

let customers = 0;

/** An account and a key of it. */
export async function customer(
  key: Partial<NewKey> = {},
): Promise<IssuedKey & { account: string }> {
  customers += 1;
  const account = await ragauth.createAccount({
    external_id: `customer-${customers}`,
    plan: "team",
  });
  const issued = await ragauth.createKey(account.id, { name: "a key", ...key });
  return { ...issued, account: account.id };
}

/** The first key of somebody who signed up, and an agent of theirs. */
export async function owner(changes: KeyChanges = {}): Promise<{ api_key: string; agent: string }> {
  customers += 1;
  const post = async (path: string, body: object, token = "") => {
    const headers = { "Content-Type": "application/json", Authorization: `Bearer ${token}` };
    const made = await fetch(url + path, {
      method: "POST",
      headers,
      body: JSON.stringify(body),
    });
    assert.equal(made.status, 201);
    return (await made.json()).data;
  };
  const [email, password] = [`owner${customers}@example.com`, "an otter in the reeds"];
  const { api_key, token } = await post("/api/auth/signup", { email, password });
  const { id: agent } = await post("/api/agents", { name: "Bot" }, token);
  const { key_id } = await ragauth.verify(api_key);
  await ragauth.changeKey(key_id ?? "", changes);
  return { api_key, agent };
}

/** Serve on a free port until the cases end; returns the URL. */
export async function listening(server: Server, port = 0): Promise<string> {
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  after(() => server.closeAllConnections());
  after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

export interface Arrived {
  method: string;
  path: string;
  key: string | undefined;
  idempotencyKey: string | undefined;
  body: string;
}

export type Reply = (response: ServerResponse, request: IncomingMessage) => void;

/** Something in the place of ragauth: the nth request has the nth reply, the last one all others. */
export async function standIn(...replies: Reply[]): Promise<{ url: string; arrived: Arrived[] }> {
  const arrived: Arrived[] = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const part of request) body += part;
    const { "x-api-key": key, "idempotency-key": idempotencyKey } = request.headers;
    arrived.push({
      method: request.method ?? "",
      path: request.url ?? "",
      key: key as string | undefined,
      idempotencyKey: idempotencyKey as string | undefined,
      body,
    });
    const reply = replies[Math.min(arrived.length, replies.length) - 1];
    reply?.(response, request);
  });
  return { url: await listening(server), arrived };
}

export const hangsUp: Reply = (_response, request) => request.socket.destroy();
export const isSilent: Reply = () => undefined;

export function answers(
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): Reply {
  return (response) => {
    response.writeHead(status, { "Content-Type": "application/json", ...headers });
    response.end(typeof body === "string" ? body : JSON.stringify(body));
  };
}

export function fails(status: number, code: string, headers: Record<string, string> = {}): Reply {
  return answers(status, { error: { code, message: "No", details: { reason: "why" } } }, headers);
}

export const VERDICT = {
  ...{ valid: true, code: "VALID", status: 200, headers: {}, body: null, reason: null },
  ...{ message: null, details: null, account_id: "acc_1", key_id: "key_1", agent_id: null },
  ...{ plan: "trial", features: [], scopes: [], environment: "live", expires_at: null },
  ...{ metadata: null, reservation_id: "rsv_1" },
};

/** A client that does not wait long, and what it logs. */
export function hasty(
  to: string,
  options: ClientOptions = {},
): { client: Client; logged: string[] } {
  const logged: string[] = [];
  const log = {
    warn: (text: string) => void logged.push(`warn: ${text}`),
    error: (text: string) => void logged.push(`error: ${text}`),
  };
  return { client: new Client(to, "rag_svc_x", { waitsMs: [1, 1], log, ...options }), logged };
}
