// Asks by Unkey's own client what comes in on standard input, a line for each call, and prints what
// it returned or threw: `{"rootKey", "method", "body"}`, then `{"result"}` or `{"error", "status", "body"}`.
import { createInterface } from "node:readline";
import { Unkey } from "@unkey/api";

const serverURL = process.argv[2];
const clients = new Map();

function clientOf(rootKey) {
  if (!clients.has(rootKey)) {
    clients.set(rootKey, new Unkey({ rootKey, serverURL, retryConfig: { strategy: "none" } }));
  }
  return clients.get(rootKey);
}

async function ask({ rootKey, method, body }) {
  const [chapter, name] = method.split(".");
  try {
    const answer = await clientOf(rootKey)[chapter][name](body);
    // A list's answer is a page that knows how to get the next one.
    return { result: answer.result ?? answer };
  } catch (error) {
    return { error: error.name, status: error.statusCode ?? null, body: error.body ?? String(error) };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await ask(JSON.parse(line))));
}
