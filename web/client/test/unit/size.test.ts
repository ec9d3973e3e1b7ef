import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { sizeOf } from "../../scripts/size.mjs";

/**
 * Bytes as gzip sends them, of what is loaded at once. The core has a budget that was promised; each of the others is what
 * was measured, rounded up: who adds to it says so here.
 */
const BUDGETS = {
  'export { createClient } from "./dist/index.js";': 3072,
  'export { trouble } from "./dist/trouble.js";': 1800,
  'export { next } from "./dist/machine.js";': 1000,
  'export { listen } from "./dist/events.js";': 1300,
  'export { dpop } from "./dist/dpop.js";': 1250,
  'export { inWorker } from "./dist/worker.js";': 550,
  'export { mini, request } from "./dist/mini.js";': 650,
};

for (const [entry, budget] of Object.entries(BUDGETS))
  test(`an application that has \`${entry}\` loads at most ${budget} bytes for it`, async (t) => {
    const bytes = await sizeOf(entry);
    t.diagnostic(`${bytes} bytes`);
    assert.ok(bytes <= budget, `${bytes} bytes`);
  });

test("the package has no dependency, and React and Vue only where they are asked for", () => {
  const { dependencies, exports } = JSON.parse(readFileSync("package.json", "utf8")) as Record<
    string,
    object | undefined
  >;
  assert.equal(dependencies, undefined);
  for (const { default: file } of Object.values(exports!) as { default: string }[]) {
    const foreign = [...readFileSync(file, "utf8").matchAll(/from "([^.][^"]*)"/g)].map(
      ([, name]) => name,
    );
    assert.deepEqual(
      foreign,
      /\/(react|vue)\.js$/.test(file) ? [/\/(react|vue)\.js$/.exec(file)![1]] : [],
      file,
    );
  }
});
