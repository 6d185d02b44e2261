// What a key uses is reserved, settled and reported, and counts once.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { Conflict, InvalidRequest, NotFound, Refused, Unavailable } from "@ragauth/client";
import {
  answers,
  customer,
  failure,
  fails,
  hasty,
  ragauth,
  standIn,
  unlucky,
  url,
  VERDICT,
} from "./support.js";

/** Tokens that the account has used in this month. */
async function used(key: string): Promise<number> {
  const answer = await fetch(`${url}/api/v1/me`, { headers: { "X-API-Key": key } });
  const quotas = (await answer.json()).data.quotas as Record<string, unknown>[];
  const quota = quotas.find(({ meter, window }) => meter === "tokens" && window === "month");
  return quota?.["used"] as number;
}

test("what was reserved is settled by what was used", async () => {
  const { api_key: key } = await customer();
  const verdict = await ragauth.verify(key, { reserve: { tokens: 4000 } });
  const told = await ragauth.withReservation(verdict, async (reservation) => {
    assert.equal(await used(key), 4000);
    reservation.add("tokens", 800);
    reservation.add("tokens");
    return reservation;
  });
  assert.equal(await used(key), 801);
  const { reservation_id, ...amounts } = told.settlement ?? assert.fail();
  assert.equal(reservation_id, verdict.reservation_id);
  assert.deepEqual(amounts, { used: { tokens: 801 }, released: { tokens: 3199 } });
});

test("work that fails pays for what it had used, and its error is what one sees", async () => {
  const { api_key: key } = await customer();
  const broken = new Error("the model has failed");
  for (const meter of ["tokens", "pages"]) {
    const verdict = await ragauth.verify(key, { reserve: { tokens: 100 } });
    const work = ragauth.withReservation(verdict, (reservation) => {
      reservation.add(meter, 7);
      throw broken;
    });
    await assert.rejects(work, broken);
  }
  // The second has noted a meter that was not reserved: it stays counted as reserved.
  assert.equal(await used(key), 107);
});

test("a refused verdict begins no work", async () => {
  const { api_key: key } = await customer();
  const verdict = await ragauth.verify(key, { reserve: { tokens: 10 ** 9 } });
  const refused = await failure(
    ragauth.withReservation(verdict, () => assert.fail()),
    Refused,
  );
  assert.equal(refused.getResponse().status, 429);
});

test("a reservation is settled once, however often and at once this is asked for", async () => {
  const settled = { reservation_id: "rsv_1", used: {}, released: {} };
  const { url: place, arrived } = await standIn(answers(200, { data: settled }));
  const { client } = hasty(place);
  const reservation = client.settling({ ...VERDICT, is_unchecked: false });
  const first = reservation.settle();
  reservation.add("tokens", 5);
  await Promise.all([first, reservation.settle()]);
  await reservation.settle();
  assert.equal(arrived.length, 1);
  assert.deepEqual(JSON.parse(arrived[0]?.body ?? ""), { reservation_id: "rsv_1", use: {} });
});

test("what cannot be settled is in the log, with the amounts, and the work is not lost", async () => {
  const { url: place, arrived } = await standIn(fails(503, "EXTERNAL_SERVICE_ERROR"));
  const { client, logged } = hasty(place);
  const verdict = { ...VERDICT, is_unchecked: false };
  const reservation = await client.withReservation(verdict, (reservation) => {
    reservation.add("tokens", 12);
    return reservation;
  });
  assert.equal(reservation.settlement, null);
  assert.ok(reservation.failure instanceof Unavailable);
  assert.equal(arrived.length, 3);
  assert.match(logged.join(), /rsv_1 not settled, used \{"tokens":12\}/);
});

test("a meter that was not reserved is the program's mistake", async () => {
  const { api_key: key } = await customer();
  const verdict = await ragauth.verify(key, { reserve: { tokens: 10 } });
  const work = ragauth.withReservation(verdict, (reservation) => reservation.add("pages"));
  await assert.rejects(work, InvalidRequest);
});

test("settling again is the same, with another amount a conflict, of nothing not found", async () => {
  const { api_key: key } = await customer();
  const { reservation_id: id } = await ragauth.verify(key, { reserve: { tokens: 10 } });
  assert.ok(id);
  const first = await ragauth.settle(id, { tokens: 4 });
  assert.deepEqual(await ragauth.settle(id, { tokens: 4 }), first);
  await assert.rejects(ragauth.settle(id, { tokens: 5 }), Conflict);
  await assert.rejects(ragauth.settle("rsv_none", {}), NotFound);
});

test("an event counts once, and one that is wrong is named", async () => {
  const { api_key: key, id: key_id } = await customer();
  const good = { id: randomUUID(), key_id, use: { tokens: 30 } };
  const wrong = { id: randomUUID(), key_id, use: { unknown: 1 } };
  assert.deepEqual(await ragauth.report([good, wrong]), {
    accepted: 1,
    known: 0,
    rejected: [{ id: wrong.id, reason: "unknown_meter" }],
  });
  assert.equal((await ragauth.report([good])).known, 1);
  assert.equal(await used(key), 30);
});

test("of what arrives and is not answered, each thing counts once", async () => {
  const { api_key: key, id: key_id } = await customer();
  const check = unlucky();
  assert.equal((await check.client.verify(key, { use: { tokens: 100 } })).status, 503);
  assert.deepEqual([check.sent(), await used(key)], [1, 100]);
  const report = unlucky();
  await report.client.report([{ id: randomUUID(), key_id, use: { tokens: 20 } }]);
  assert.deepEqual([report.sent(), await used(key)], [2, 120]);
  const settle = unlucky();
  const { reservation_id: id } = await ragauth.verify(key, { reserve: { tokens: 50 } });
  await settle.client.settle(id ?? "", { tokens: 3 });
  assert.deepEqual([settle.sent(), await used(key)], [2, 123]);
});
