// Prints the types of ragauth's document: node scripts/types.js openapi.json > src/openapi.ts
//
// They are those of the routes that this client calls, and of the webhooks: what changes elsewhere
// in the document does not concern it.
import { readFile } from "node:fs/promises";
import openapiTS, { astToString, COMMENT_HEADER } from "openapi-typescript";

const SERVICES =
  /^\/api\/v1\/(?:keys\/verify|usage\/(?:settle|report)|internal\/(?:accounts|api-keys))(?:\/|$)/;
const REFERENCE = /"\$ref":"#\/components\/(\w+)\/([^"]+)"/g;

function routesOfServices(document) {
  const paths = Object.fromEntries(
    Object.entries(document.paths).filter(([path]) => SERVICES.test(path)),
  );
  const { webhooks = {} } = document;
  const components = {};
  const unread = [JSON.stringify({ paths, webhooks })];
  while (unread.length > 0) {
    for (const [, kind, name] of unread.pop().matchAll(REFERENCE)) {
      components[kind] ??= {};
      if (!(name in components[kind])) {
        components[kind][name] = document.components[kind][name];
        unread.push(JSON.stringify(components[kind][name]));
      }
    }
  }
  return { ...document, paths, webhooks, components };
}

const document = routesOfServices(JSON.parse(await readFile(process.argv[2], "utf8")));
const nodes = await openapiTS(document, { alphabetize: true, silent: true });
process.stdout.write(COMMENT_HEADER + astToString(nodes));
