// Accounts and keys on behalf of customers.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  byExternalId,
  Conflict,
  InvalidRequest,
  NotFound,
  UsageLimitExceeded,
} from "@ragauth/client";
import { customer, ragauth, unlucky } from "./support.js";

test("an account is made, found, changed and erased by an id of one's own", async () => {
  for (const external of ["crm/17?a=b&c", "ä ö:%2F", ".."]) {
    const made = await ragauth.createAccount({ external_id: external, name: "Ada" });
    const name = byExternalId(external);
    assert.deepEqual(await ragauth.getAccount(name), made);
    assert.deepEqual(await ragauth.getAccount(made.id), made);
    const found = await ragauth.listAccounts({ external_id: external });
    assert.deepEqual(found, { items: [made], next_cursor: null });
    const changed = await ragauth.changeAccount(name, { plan: "team", metadata: { tier: 1 } });
    assert.deepEqual([changed.plan, changed.metadata], ["team", { tier: 1 }]);
    await assert.rejects(ragauth.createAccount({ external_id: external }), Conflict);
    assert.equal(await ragauth.deleteAccount(name), undefined);
    await assert.rejects(ragauth.getAccount(name), NotFound);
  }
});

test("a key is made, listed, changed, rotated and revoked, and works as long as it should", async () => {
  const first = await customer({ scopes: ["query"] });
  assert.equal(first.managed, true);
  const isValid = async (key: string) => (await ragauth.verify(key)).valid;
  assert.equal(await isValid(first.api_key), true);
  const changed = await ragauth.changeKey(first.id, { is_active: false });
  assert.deepEqual(await ragauth.getKey(first.id), changed);
  assert.equal(await isValid(first.api_key), false);
  await ragauth.changeKey(first.id, { is_active: true });
  const second = await ragauth.rotateKey(first.id, 3600);
  assert.deepEqual([await isValid(first.api_key), await isValid(second.api_key)], [true, true]);
  const third = await ragauth.rotateKey(second.id);
  assert.deepEqual([await isValid(second.api_key), await isValid(third.api_key)], [false, true]);
  await ragauth.revokeKey(third.id);
  assert.equal(await isValid(third.api_key), false);
  await assert.rejects(ragauth.revokeKey(third.id), NotFound);
});

test("a list is read page by page", async () => {
  const { account, id } = await customer();
  const other = await ragauth.createKey(account, { name: "other" });
  await ragauth.revokeKey(other.id);
  const another = await ragauth.createKey(account, { name: "another" });
  const page = await ragauth.listKeys(account, { limit: 1 });
  assert.deepEqual(
    page.items.map((key) => key.id),
    [another.id],
  );
  const cursor = page.next_cursor ?? assert.fail();
  const last = await ragauth.listKeys(account, { limit: 1, cursor });
  assert.deepEqual([last.items.map((key) => key.id), last.next_cursor], [[id], null]);
  const all = await ragauth.listKeys(account, { include_revoked: true });
  assert.deepEqual(
    all.items.map((key) => key.id),
    [another.id, other.id, id],
  );
});

test("a plan that has no room, and fields that are wrong, are told", async () => {
  const { id } = await ragauth.createAccount({ external_id: "small", plan: "live-only" });
  for (const name of ["1", "2", "3"]) await ragauth.createKey(id, { name });
  await assert.rejects(ragauth.createKey(id, { name: "4" }), UsageLimitExceeded);
  await assert.rejects(ragauth.createKey(id, { name: "" }), InvalidRequest);
});

test("an id that would be another path is refused here", async () => {
  for (const id of ["", ".", ".."]) {
    await assert.rejects(async () => ragauth.getAccount(id), TypeError);
    await assert.rejects(async () => ragauth.revokeKey(id), TypeError);
  }
  await assert.rejects(ragauth.getKey("../accounts"), NotFound);
});

test("what is made, though the answer was lost, is made once and told", async () => {
  const external_id = "made once";
  const account = await unlucky().client.createAccount({ external_id });
  assert.deepEqual(await ragauth.getAccount(byExternalId(external_id)), account);
  const key = await unlucky().client.createKey(account.id, { name: "a key" });
  assert.equal((await ragauth.verify(key.api_key)).key_id, key.id);
  const next = await unlucky().client.rotateKey(key.id);
  const { items } = await ragauth.listKeys(account.id, { include_revoked: true });
  assert.deepEqual(
    items.map(({ id }) => id),
    [next.id, key.id],
  );
  assert.equal(await unlucky().client.revokeKey(next.id), undefined);
  assert.equal(await unlucky().client.deleteAccount(account.id), undefined);
});
