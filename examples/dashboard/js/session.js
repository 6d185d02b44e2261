/**
 * The session of this browser: its access token, its refreshes, its end; shared by all tabs.
 *
 * The access token is in memory alone. The refresh token is in an HttpOnly cookie that no script
 * sees (cookie mode) or, where the API hands it out in the body, in localStorage (token mode):
 * README.md says what that costs.
 *
 * The record in localStorage is the same for all tabs: `{version, account_id, refresh_token?}`. Each
 * pair of tokens and each end has a version of its own, later ones a higher one, and messages between
 * tabs carry it: what one tab has written may reach another's localStorage after the message does.
 */

import { ApiError, send } from "./wire.js";

const RECORD = "ragauth.session";
// A refresh begins this long before the token's end, or after four fifths of a shorter life.
const HEAD_START_MS = 60_000;
// One about to expire would be dead when it arrives.
const MARGIN_MS = 2_000;
const RETRY_MS = 5_000;
const ANSWER_OF_TAB_MS = 120;

/** Nobody is logged in (any more); `reason` is `ended`, `logged_out` or `suspended`. */
export class SessionEnded extends Error {
  constructor(reason = "ended") {
    super("The session has ended.");
    this.reason = reason;
  }
}

const channel = new BroadcastChannel("ragauth");
const listeners = { ended: () => {}, opened: () => {} };
let access = null; // {version, account_id, token, expires_at, refresh_at}, times in ms
let endedVersion = 0;
let owner = readRecord()?.account_id ?? null;
let timer = 0;
let refreshing = null;
let takeOffer = () => {};

export const exists = () => access !== null || readRecord() !== null;
/** Whose session it is, or null. */
export const accountId = () => owner;

/** `ended(reason)`: here or in another tab. `opened()`: a login in another tab. */
export function listen(handlers) {
  Object.assign(listeners, handlers);
}

/** Begin with the answer of a login or a signup. */
export async function open({ account, ...pair }) {
  await exclusively(() => keep(pair, account.id));
}

/** A token that will last for the next request. Rejects with SessionEnded. */
export async function accessToken() {
  return isFresh() ? access.token : refresh();
}

/** The next token; `stale` is one that the API has just refused. Rejects with SessionEnded. */
export function refresh(stale) {
  refreshing ??= exclusively(() => refreshOnce(stale)).finally(() => {
    refreshing = null;
  });
  return refreshing;
}

/** End the session, in all tabs; false if the API could not be told. */
export function logOut() {
  return exclusively(async () => {
    const token = access?.token ?? readRecord()?.refresh_token;
    let isTold = true;
    try {
      // Without a token the cookie says which session.
      await send("logOut", { token, csrf: !token });
    } catch (error) {
      // A token that is refused is dead already.
      if (!(error instanceof ApiError)) throw error;
      isTold = error.status === 401;
    }
    drop("logged_out");
    return isTold;
  });
}

/** The API has ended it (an account deleted, a password reset): forget it in all tabs. */
export function forget(reason) {
  return exclusively(() => drop(reason));
}

async function refreshOnce(stale) {
  const record = readRecord();
  // Another tab may have been faster, and its message still be under way.
  if (record !== null) await askOtherTabs(Math.max(record.version, (access?.version ?? 0) + 1));
  const isNewest = access !== null && access.version >= (record?.version ?? 0);
  if (isNewest && isFresh() && access.token !== stale) return access.token;
  if (record === null) {
    drop("ended");
    throw new SessionEnded();
  }
  const isCookie = record.refresh_token === undefined;
  try {
    const body = isCookie ? {} : { refresh_token: record.refresh_token };
    const { data } = await send("refresh", { body, csrf: isCookie });
    return keep(data, record.account_id);
  } catch (error) {
    if (error.status === 401 || error.reason === "account_suspended") {
      const reason = error.status === 401 ? "ended" : "suspended";
      drop(reason);
      throw new SessionEnded(reason);
    }
    throw error;
  }
}

/** One at a time over all tabs. Without it, the API's grace for a spent token would still do. */
function exclusively(action) {
  return navigator.locks.request(RECORD, action);
}

function keep(pair, accountId) {
  const version = nextVersion();
  writeRecord({ version, account_id: accountId, refresh_token: pair.refresh_token });
  const now = Date.now();
  const life = pair.expires_in * 1000;
  use({
    version,
    account_id: accountId,
    token: pair.token,
    expires_at: now + life,
    refresh_at: now + Math.max(life - HEAD_START_MS, life * 0.8),
  });
  channel.postMessage({ type: "token", access });
  return access.token;
}

function use(offered) {
  access = offered;
  owner = access.account_id;
  clearTimeout(timer);
  // Not all tabs at the same instant: the first one's token serves the others.
  const jitter = Math.random() * Math.min(5_000, (access.expires_at - access.refresh_at) / 4);
  timer = setTimeout(refreshQuietly, Math.max(0, access.refresh_at - Date.now()) + jitter);
}

async function refreshQuietly() {
  try {
    await refresh(access?.token);
  } catch (error) {
    if (error instanceof SessionEnded) return;
    if (!(error instanceof ApiError)) throw error;
    // Away for a moment: nothing is lost, the next request tries too.
    timer = setTimeout(refreshQuietly, Math.max(RETRY_MS, error.retryAfterSeconds * 1000));
  }
}

function drop(reason) {
  endedVersion = nextVersion();
  localStorage.removeItem(RECORD);
  channel.postMessage({ type: "ended", reason, version: endedVersion });
  lose(reason, true);
}

/** The tabs share a clock; two changes in one of its ticks, or a clock set back, do no harm. */
function nextVersion() {
  const last = Math.max(access?.version ?? 0, readRecord()?.version ?? 0, endedVersion);
  return Math.max(Date.now(), last + 1);
}

function lose(reason, isOwn) {
  clearTimeout(timer);
  access = null;
  owner = null;
  listeners.ended(reason, isOwn);
}

function isFresh() {
  return access !== null && access.expires_at - MARGIN_MS > Date.now();
}

/** Another tab may hold the newest token: that saves a refresh. */
function askOtherTabs(version) {
  return new Promise((resolve) => {
    takeOffer = resolve;
    setTimeout(resolve, ANSWER_OF_TAB_MS);
    channel.postMessage({ type: "ask", version });
  });
}

channel.addEventListener("message", ({ data: message }) => {
  if (message.type === "ask") {
    if (isFresh() && access.version >= message.version) {
      channel.postMessage({ type: "token", access });
    }
  } else if (message.type === "token") {
    const { version } = message.access;
    // One that was overtaken by another, or by an end, is of no use.
    if (version <= endedVersion || version <= (access?.version ?? 0)) return;
    const isNew = owner !== message.access.account_id;
    use(message.access);
    takeOffer();
    if (isNew) listeners.opened();
  } else if (message.type === "ended") {
    if (message.version <= (access?.version ?? endedVersion)) return;
    endedVersion = message.version;
    lose(message.reason, false);
  }
});

/** A tab that slept, or came back from the browser's cache, may have missed all of that. */
function catchUp() {
  if (document.visibilityState !== "visible" || access === null) return;
  if (readRecord()?.version !== access.version || Date.now() >= access.refresh_at) refreshQuietly();
}
document.addEventListener("visibilitychange", catchUp);
addEventListener("pageshow", catchUp);

function readRecord() {
  try {
    const record = JSON.parse(localStorage.getItem(RECORD));
    return record?.version > endedVersion ? record : null;
  } catch {
    return null;
  }
}

function writeRecord(record) {
  localStorage.setItem(RECORD, JSON.stringify(record));
}
