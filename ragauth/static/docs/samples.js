// One request as a program in several languages, to be copied and run as it is.

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** What a text is as JSON, in `value`; null for another text. */
export function parsed(text) {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return null;
  }
}

function python(value, indent = "    ") {
  const further = `${indent}    `;
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value !== "object") return JSON.stringify(value);
  const isList = Array.isArray(value);
  const items = isList
    ? value.map((one) => python(one, further))
    : Object.entries(value).map(([name, one]) => `${JSON.stringify(name)}: ${python(one, further)}`);
  const [open, close] = isList ? "[]" : "{}";
  if (!items.length) return open + close;
  return `${open}\n${items.map((one) => `${further}${one},\n`).join("")}${indent}${close}`;
}

function curl({ method, url, headers, body }) {
  const parts = [method === "GET" ? "curl" : `curl -X ${method}`, quoted(url)];
  for (const [name, value] of Object.entries(headers)) parts.push(`-H ${quoted(`${name}: ${value}`)}`);
  if (body !== null) parts.push(`-d ${quoted(body)}`);
  return parts.join(" \\\n  ").replace(" \\\n  ", " ");
}

function pythonProgram({ method, url, headers, body }) {
  const { "Content-Type": type, ...others } = headers;
  const json = body === null ? null : parsed(body);
  const lines = [`    ${JSON.stringify(url)},`];
  const sent = json || body === null ? others : headers;
  if (Object.keys(sent).length) lines.push(`    headers=${python(sent)},`);
  if (json) lines.push(`    json=${python(json.value)},`);
  else if (body !== null) lines.push(`    content=${JSON.stringify(body)},`);
  const call = `httpx.request(\n    ${JSON.stringify(method)},\n${lines.join("\n")}\n)`;
  return `import httpx\n\nanswer = ${call}\nprint(answer.status_code, answer.text)`;
}

function typescript({ method, url, headers, body }) {
  const options = [`  method: ${JSON.stringify(method)},`];
  const indented = (value) => JSON.stringify(value, null, 2).replaceAll("\n", "\n  ");
  if (Object.keys(headers).length) options.push(`  headers: ${indented(headers)},`);
  if (body !== null) {
    const json = parsed(body);
    const text = json ? `JSON.stringify(${indented(json.value)})` : JSON.stringify(body);
    options.push(`  body: ${text},`);
  }
  const call = `await fetch(${JSON.stringify(url)}, {\n${options.join("\n")}\n})`;
  return `const answer = ${call};\nconsole.log(answer.status, await answer.text());`;
}

export const LANGUAGES = { curl, Python: pythonProgram, TypeScript: typescript };
