/**
 * The API as the views use it: with a service key, which is in this module's memory alone. A reload,
 * a closed tab and some time without a press forget it.
 */

import { OPERATIONS } from "./operations.js";
import { ApiError, send } from "./wire.js";

const IDLE_MS = 15 * 60_000;
const LOOK_MS = 1_000;
// What a header may hold: a browser refuses to send anything else, and does not say why.
const SENDABLE = /^[\x21-\x7e]*$/;

let key = null;
let metricsToken = null;
let scopes = [];
let pressedAt = 0;
let whenLocked = () => {};

export const isOpen = () => key !== null;
/** Whether the key may make a call, by its name. */
export const may = (name) => {
  const { scope } = OPERATIONS[name];
  return scope === undefined || scopes.includes(scope);
};

/** Try a key, and keep it if it is a service's. Resolves to what the API tells of it. */
export async function open(presentedKey, presentedToken) {
  if (!SENDABLE.test(presentedKey + presentedToken)) {
    throw new ApiError(401, { message: "A key or a token has no spaces, and no characters but those of ASCII." });
  }
  const { data } = await send("showHolder", { token: presentedKey });
  if (data.key.kind !== "service") {
    throw new ApiError(403, { message: "This is a customer's key. A service key begins with its brand and “_svc_”." });
  }
  key = presentedKey;
  metricsToken = presentedToken;
  scopes = data.key.scopes ?? [];
  pressedAt = Date.now();
  return data.key;
}

/** Forget the key; `listener(reason)` of `onLocked` is told. */
export function lock(reason = null) {
  key = metricsToken = null;
  scopes = [];
  whenLocked(reason);
}

export function onLocked(listener) {
  whenLocked = listener;
}

/** By the clock on the wall: while a computer sleeps, the time of a timer stands still. */
function lockIfIdle() {
  if (isOpen() && Date.now() - pressedAt >= IDLE_MS) {
    lock("Nobody pressed anything for 15 minutes, so the key was forgotten.");
  }
}
setInterval(lockIfIdle, LOOK_MS);
for (const press of ["pointerdown", "keydown"]) {
  addEventListener(
    press,
    () => {
      // The press that wakes a computer is too late.
      lockIfIdle();
      pressedAt = Date.now();
    },
    { capture: true, passive: true },
  );
}

/** The data of an answer. Rejects with ApiError. */
export async function call(name, options = {}) {
  return (await answerOf(name, options))?.data;
}

/** One page of a list: `{items, cursor}`; the cursor is null after the last one. */
export async function callPage(name, options = {}) {
  const answer = await answerOf(name, options);
  return { items: answer.data, cursor: answer.meta.next_cursor };
}

/** A whole list, page by page. */
export async function callAll(name, options = {}) {
  const items = [];
  let cursor;
  do {
    const query = { ...options.query, limit: 100, cursor };
    const found = await callPage(name, { ...options, query });
    items.push(...found.items);
    cursor = found.cursor;
  } while (cursor);
  return items;
}

/** The text of `/metrics`, with the token that stands for it, if there is one. */
export async function metrics() {
  try {
    const { data } = await send("showMetrics", { token: metricsToken || null });
    return await data.text();
  } catch (error) {
    if (error.status !== 401) throw error;
    const wanted = metricsToken ? "does not accept the token that was given" : "asks for a token";
    throw new ApiError(401, {
      message: `/metrics ${wanted}. Forget the key, and give RAGAUTH_METRICS_TOKEN beside it.`,
    });
  }
}

async function answerOf(name, options) {
  try {
    return await send(name, { ...options, token: key });
  } catch (error) {
    // Revoked, or expired, while the console was open.
    if (error.status === 401 && isOpen()) lock("The API no longer accepts the key.");
    throw error;
  }
}
