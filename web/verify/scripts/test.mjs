// Bundles the tests of a folder and runs them: `node scripts/test.mjs unit|authority [file…]`.
import { spawnSync } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { build } from "esbuild";

const [folder, ...wanted] = process.argv.slice(2);
const out = `.build/${folder}`;
const chosen = readdirSync(`test/${folder}`)
  .filter((name) => name.endsWith(".test.ts"))
  .filter((name) => !wanted.length || wanted.some((part) => name.startsWith(part)));
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
const files = chosen.map((name) => `${out}/${name.replace(/\.ts$/, ".mjs")}`);
const ran = spawnSync(
  process.execPath,
  ["--enable-source-maps", "--test", "--test-concurrency=1", ...files],
  { stdio: "inherit" },
);
process.exit(ran.status ?? 1);
