// How soon something is to be seen, beside a page of one line in the same browser, turn by turn:
// `AUTHORITY_BINARY=…/symbolon node scripts/bench.mjs`.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const ROUNDS = 11;

const dev = spawn(
  process.env.AUTHORITY_BINARY ?? "symbolon",
  ["dev", "--json", "--listen", "127.0.0.1:0", "--demo-listen", "127.0.0.1:0"],
  { stdio: ["ignore", "pipe", "ignore"] },
);
const [line] = await once(createInterface(dev.stdout), "line");
const page = JSON.parse(line).playground;
const least = createServer((_, answer) => {
  answer.setHeader("Content-Type", "text/html");
  answer.end("<!doctype html><h1>One line</h1>");
}).listen(0, "127.0.0.1");
await once(least, "listening");
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox"],
});

/** Milliseconds until the first contentful paint, with nothing kept from before. */
async function paint(url) {
  const context = await browser.newContext();
  const opened = await context.newPage();
  await opened.goto(url, { waitUntil: "commit" });
  const seen = await opened.evaluate(
    () =>
      new Promise((told) =>
        new PerformanceObserver((list) => {
          const [first] = list.getEntriesByName("first-contentful-paint");
          if (first) told(first.startTime);
        }).observe({ type: "paint", buffered: true }),
      ),
  );
  await context.close();
  return seen;
}

const [floors, pages] = [[], []];
for (let round = 0; round < ROUNDS; round += 1) {
  floors.push(await paint(`http://127.0.0.1:${least.address().port}/`));
  pages.push(await paint(page));
}
const median = (times) => times.sort((a, b) => a - b)[ROUNDS >> 1];
const [floor, own] = [median(floors), median(pages)];
console.log(
  `first paint: ${own} ms; floor, a page of one line: ${floor} ms; ratio ${(own / floor).toFixed(1)} (at most 100 ms)`,
);
await browser.close();
least.close();
dev.kill();
