import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { act, open, press, reaches, says, startWorld, tab, type World } from "./world.js";

let world: World;
before(async () => {
  world = await startWorld();
});
after(() => world.stop());

test("left alone, both rings refill, and only one of the tabs renews for that", async () => {
  const { page, wrongs } = await open(world);
  await says(page, ".log tr[data-mark=renewal]", "renewed");
  await says(page, ".log tr[data-mark=taken]", "took");
  for (const who of ["A", "B"] as const) {
    await reaches(page, who, "fresh");
    const left = await tab(page, who).locator(".seconds b").textContent();
    assert.ok(Number(left) >= 0 && Number(left) <= 20, `${left} s left`);
  }
  assert.deepEqual(wrongs, []);
  await page.context().close();
});

test("fifty renewals at once have one successor, and nobody is signed out", async () => {
  const { page, wrongs } = await open(world);
  const figures = await act(page, /fifty/);
  assert.deepEqual(figures.slice(0, 3), ["50/50", "1", "0"]);
  for (const who of ["A", "B"] as const) await reaches(page, who, "fresh");
  assert.deepEqual(wrongs, []);
  await page.context().close();
});

test("an old refresh token that comes back ends the session in both tabs, which say why and sign in again", async () => {
  const { page, wrongs } = await open(world);
  const [reason, ms] = await act(page, /Replay/);
  assert.equal(reason, "replayed");
  assert.match(ms!, /^[\d.]+ ms$/);
  for (const who of ["A", "B"] as const)
    await says(tab(page, who), ".over", "an old refresh token came back");
  await press(tab(page, "B"), "Sign in again");
  for (const who of ["A", "B"] as const) await reaches(page, who, "fresh");
  assert.deepEqual(wrongs, []);
  await page.context().close();
});

test("a kick is refused at both services, and told in both tabs", async () => {
  const { page, wrongs } = await open(world);
  const [ms, confirmed] = await act(page, /Kick/);
  assert.match(ms!, /^[\d.]+ ms$/);
  assert.equal(confirmed, "2/2");
  for (const who of ["A", "B"] as const)
    await says(tab(page, who), ".over", "kicked by an operator");
  assert.equal(await page.locator(".latency .big").textContent(), ms);
  await says(page, ".bars li", "Kick");
  assert.deepEqual(wrongs, []);
  await page.context().close();
});

test("a changed role reaches both tabs by a renewal, and nobody is signed out", async () => {
  const { page, wrongs } = await open(world);
  for (const role of ["manager", "reader"]) {
    const figures = await act(page, /role/);
    assert.equal(figures.length, 2);
    for (const who of ["A", "B"] as const) await says(tab(page, who), "dd", role);
  }
  for (const who of ["A", "B"] as const) await reaches(page, who, "fresh");
  assert.equal(await page.locator(".log tr[data-mark=ended]").count(), 0);
  assert.deepEqual(wrongs, []);
  await page.context().close();
});

test("a sign-in on another device displaces both tabs", async () => {
  const { page, wrongs } = await open(world);
  await act(page, /another device/);
  for (const who of ["A", "B"] as const) await says(tab(page, who), ".over", "displaced");
  assert.deepEqual(wrongs, []);
  await page.context().close();
});

test("an answer that is lost is asked for again, and the request gets its answer", async () => {
  const { page, wrongs } = await open(world);
  const one = tab(page, "A");
  await press(one, "Lose answer");
  await says(one, ".note", "the same successor");
  await says(page, ".log tr[data-mark=lost]", "lost");
  await reaches(page, "A", "fresh");
  assert.equal(await page.locator(".log tr[data-mark=ended]").count(), 0);
  assert.deepEqual(wrongs, []);
  await page.context().close();
});

test("a tab that is offline signs nobody out, and goes on where the other is", async () => {
  const { page, wrongs } = await open(world);
  const one = tab(page, "A");
  await press(one, "Go offline");
  await reaches(page, "A", "offline");
  await says(page, ".log tr[data-mark=unsent]", "offline");
  await act(page, /role/);
  await says(tab(page, "B"), "dd", "manager");
  await press(one, "Back online");
  await reaches(page, "A", "fresh");
  await says(one, "dd", "manager");
  assert.equal(await page.locator(".log tr[data-mark=ended]").count(), 0);
  assert.deepEqual(wrongs, []);
  await page.context().close();
});

test("a clock that is two hours wrong costs at most a renewal", async () => {
  const { page, wrongs } = await open(world);
  const one = tab(page, "A");
  await press(one, "Clock +2 h");
  await says(one, "dd.wrong", /:/);
  await reaches(page, "A", "fresh");
  await says(one, "dd", /^200/);
  await press(one, "Clock right");
  assert.equal(await one.locator("dd.wrong").count(), 0);
  await reaches(page, "A", "fresh");
  assert.equal(await page.locator(".log tr[data-mark=ended]").count(), 0);
  assert.deepEqual(wrongs, []);
  await page.context().close();
});

test("a second window takes part in the session, and its buttons do as they should", async () => {
  const { page } = await open(world);
  const other = await page.context().newPage();
  await other.goto(world.url);
  for (const who of ["A", "B"] as const) await reaches(other, who, "fresh");
  assert.deepEqual((await act(other, /fifty/)).slice(0, 3), ["50/50", "1", "0"]);
  await act(page, /Kick/);
  await press(tab(page, "A"), "Sign in again");
  for (const one of [page, other])
    for (const who of ["A", "B"] as const) await reaches(one, who, "fresh");
  const [reason] = await act(other, /Replay/);
  assert.equal(reason, "replayed");
  await says(tab(page, "A"), ".over", "an old refresh token came back");
  await page.context().close();
});
