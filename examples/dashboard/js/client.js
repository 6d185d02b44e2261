/** The API as the views use it: with the session's token, and once more after a refresh. */

import * as session from "./session.js";
import { OPERATIONS } from "./operations.js";
import { send } from "./wire.js";

/** The data of an answer. Rejects with ApiError or SessionEnded. */
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

let whenEnded = async () => false;

/** `logInAgain()` resolves to whether the same account is logged in again. */
export function goOnWith(logInAgain) {
  whenEnded = logInAgain;
}

async function answerOf(name, options) {
  if (OPERATIONS[name].open) return send(name, options);
  for (;;) {
    try {
      return await withToken(name, options);
    } catch (error) {
      // What was typed and pressed is not lost with a session: it goes on after the login.
      if (!(error instanceof session.SessionEnded) || !(await whenEnded())) throw error;
    }
  }
}

async function withToken(name, options) {
  const token = await session.accessToken();
  try {
    return await send(name, { ...options, token });
  } catch (error) {
    if (!error.isTokenRefused) throw error;
    return send(name, { ...options, token: await session.refresh(token) });
  }
}
