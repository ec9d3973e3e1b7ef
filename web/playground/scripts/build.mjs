// Builds the page into the folder that the binary includes: `node scripts/build.mjs`, or `--check` that it is built.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = join(dirname(fileURLToPath(import.meta.url)), "..");
const into = join(here, "../../crates/server/src/playground/page");
const source = (name) => join(here, "src", name);

/** The most bytes of all files together. */
const BYTES_MAX = 150 * 1024;

const { outputFiles } = await build({
  entryPoints: ["page.ts", "tab.ts", "page.css"].map(source),
  outdir: into,
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
  write: false,
  alias: { "@symbolon/client": join(here, "../client/src") },
});
const slim = (name) => readFileSync(source(name), "utf8").replace(/\n\s*/g, "\n");
const built = new Map(outputFiles.map(({ path, text }) => [path.slice(into.length + 1), text]));
// The style sheet stands in the page itself, so that the first paint waits for no second answer; the policy names it by
// its digest.
const style = built.get("page.css");
const styled = (name) => slim(name).replace("<style></style>", () => `<style>${style}</style>`);
const files = new Map([
  ["page.js", built.get("page.js")],
  ["tab.js", built.get("tab.js")],
  ["index.html", styled("index.html")],
  ["tab.html", styled("tab.html")],
  ["icon.svg", slim("icon.svg")],
]);
const names = [...files.keys()].sort();
const digest = (text) => createHash("sha256").update(text).digest("hex");
files.set("sha256", names.map((name) => `${digest(files.get(name))}  ${name}\n`).join(""));

files.set("style-src", `'sha256-${createHash("sha256").update(style).digest("base64")}'`);

const bytes = names.reduce((sum, name) => sum + Buffer.byteLength(files.get(name)), 0);
if (bytes > BYTES_MAX) throw new Error(`${bytes} bytes are more than ${BYTES_MAX}`);
const read = (name) => {
  try {
    return readFileSync(join(into, name), "utf8");
  } catch {
    return undefined;
  }
};
const changed = [...files].filter(([name, text]) => read(name) !== text).map(([name]) => name);
if (process.argv.includes("--check")) {
  if (changed.length)
    throw new Error(`not as the sources say: ${changed}. Run \`npm run build\` in web/playground.`);
} else {
  mkdirSync(into, { recursive: true });
  for (const [name, text] of files) writeFileSync(join(into, name), text);
}
console.log(
  `${names.length} files, ${bytes} bytes${changed.length ? `, changed: ${changed}` : ""}`,
);
