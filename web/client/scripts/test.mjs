// Bundles the tests of a folder and runs them: `node scripts/test.mjs unit|browser|firefox [file…] [--flag-of-node…]`; one test alone by
// `npm run test:browser -- tabs --test-name-pattern=cookie`.
import { spawnSync } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { build } from "esbuild";

const [folder, ...given] = process.argv.slice(2);
const flags = given.filter((one) => one.startsWith("--"));
const wanted = given.filter((one) => !one.startsWith("--"));
const out = `.build/${folder}`;
const tests = readdirSync(`test/${folder}`).filter((name) => /\.test\.tsx?$/.test(name));
const chosen = tests.filter(
  (name) => !wanted.length || wanted.some((part) => name.startsWith(part)),
);
rmSync(out, { recursive: true, force: true });
await build({
  entryPoints: chosen.map((name) => `test/${folder}/${name}`),
  outdir: out,
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node20",
  packages: "external",
  sourcemap: "inline",
  outExtension: { ".js": ".mjs" },
});
const files = chosen.map((name) => `${out}/${name.replace(/\.tsx?$/, ".mjs")}`);
// A test that failed half-way leaves lines to other tabs open, and one that waits for ever is to fail.
const bounds = ["--test-force-exit", "--test-timeout=600000"];
const ran = spawnSync(
  process.execPath,
  ["--enable-source-maps", "--test", "--test-concurrency=1", ...bounds, ...flags, ...files],
  { stdio: "inherit" },
);
process.exit(ran.status ?? 1);
