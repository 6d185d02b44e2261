// The first calls that a customer writes in TypeScript, against the types made from the document.
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type Failure = components["schemas"]["Error"]["error"];

const [url, serviceKey, email] = process.argv.slice(2) as [string, string, string];
const password = "an otter in the reeds";
const told: [string, number, unknown][] = [];

function tell(name: string, response: Response, seen: unknown = null): void {
  told.push([name, response.status, seen]);
}

function given<T>(answer: { data?: T; error?: unknown }): T {
  if (answer.data === undefined) throw new Error(JSON.stringify(answer.error));
  return answer.data;
}

/** What a program reads of a refusal: TypeScript knows each code's own details. */
function why(failure: Failure): string {
  switch (failure.code) {
    case "AUTHENTICATION_ERROR":
      return failure.details.reason;
    case "VALIDATION_ERROR":
      return (failure.details?.issues ?? []).map((issue) => issue.path.join(".")).join(" ");
    default:
      return failure.code;
  }
}

function callerWith(headers: Record<string, string>) {
  return createClient<paths>({ baseUrl: url, headers });
}

const nobody = callerWith({});
const signedUp = await nobody.POST("/api/auth/signup", { body: { email, password } });
tell("signUp", signedUp.response, given(signedUp).data.account.email === email);

const loggedIn = await nobody.POST("/api/auth/login", { body: { email, password } });
const login = given(loggedIn).data;
if (!("token" in login)) throw new Error("there is no second factor");
tell("logIn", loggedIn.response, login.token_type);

const user = callerWith({ Authorization: `Bearer ${login.token}` });
const me = await user.GET("/api/auth/me");
tell("showMe", me.response, given(me).data.plan);

// Without kind and environment: what has a default may be left out.
const created = await user.POST("/api/auth/api-keys", { body: { name: "a key" } });
const key = given(created).data;
tell("createKey", created.response, key.kind);

const keys = await user.GET("/api/auth/api-keys", { params: { query: { limit: 10 } } });
tell("listKeys", keys.response, given(keys).data.length);

const holder = callerWith({ "X-API-Key": key.api_key });
const allowed = await holder.GET("/api/v1/authorize", { params: { query: { scope: "query" } } });
tell("authorize", allowed.response, allowed.response.headers.get("X-Ragauth-Key-Id") === key.id);

const service = callerWith({ "X-API-Key": serviceKey });
const verified = await service.POST("/api/v1/keys/verify", { body: { key: key.api_key } });
tell("verifyKey", verified.response, given(verified).data.valid);

const revoked = await user.DELETE("/api/auth/api-keys/{key_id}", {
  params: { path: { key_id: key.id } },
});
tell("revokeKey", revoked.response);

const usage = await user.GET("/api/auth/usage");
const days = given(usage);
// A string would be CSV, which was not accepted.
tell("listMyUsage", usage.response, typeof days !== "string" && Array.isArray(days.data));

const refused = await holder.GET("/api/v1/me");
tell("showKeyHolder", refused.response, refused.error && why(refused.error.error));

const incomplete = await user.POST("/api/auth/api-keys", { body: { name: "" } });
tell("createKey", incomplete.response, incomplete.error && why(incomplete.error.error));

const loggedOut = await user.POST("/api/auth/logout");
tell("logOut", loggedOut.response);

console.log(JSON.stringify(told));
