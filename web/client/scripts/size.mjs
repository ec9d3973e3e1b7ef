// What an application that only creates a client is made to load: minified, and as gzip sends it.
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

/** The bytes of the entry `stdin` and of what it loads at once; what it may load later is not counted. */
export async function sizeOf(contents) {
  const { outputFiles, metafile } = await build({
    stdin: { contents, resolveDir: ".", sourcefile: "entry.js" },
    bundle: true,
    splitting: true,
    minify: true,
    format: "esm",
    target: "es2022",
    outdir: "out",
    write: false,
    metafile: true,
  });
  const names = new Set(["out/stdin.js"]);
  for (const name of names)
    for (const { path, kind } of metafile.outputs[name].imports)
      if (kind === "import-statement") names.add(path);
  const loaded = outputFiles.filter(({ path }) => [...names].some((name) => path.endsWith(name)));
  return loaded.reduce((sum, { contents }) => sum + gzipSync(contents, { level: 9 }).length, 0);
}

if (process.argv[1]?.endsWith("size.mjs"))
  console.log(await sizeOf('export { createClient } from "./dist/index.js";'));
