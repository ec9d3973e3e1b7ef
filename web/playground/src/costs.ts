/** What the preset in force costs, beside the others: the figures of `symbolon explain client`. */

import { h } from "./dom.js";
import { spaced, span } from "./figures.js";
import type { Explained } from "./wire.js";
import type { Words } from "./words.js";

/** A table of them, the one in force first. */
export function costs(presets: readonly Explained[], words: Words): HTMLTableElement {
  const head = words.costColumns.map((name) => h("th", { scope: "col" }, name));
  return h(
    "table",
    { class: "costs" },
    h("thead", {}, h("tr", {}, ...head)),
    h("tbody", {}, ...presets.map((one, at) => row(one, at === 0, words))),
  );
}

function row(explained: Explained, isInForce: boolean, words: Words): HTMLTableRowElement {
  const { preset, settings, costs } = explained;
  const life = settings.find(({ setting }) => setting === "access_token.ttl")?.value ?? "";
  const [traffic] = costs.per_1000_requests;
  const most = (of: string) => {
    const ms = costs.revoked_lives.find((life) => life.of === of)?.at_most_ms;
    return typeof ms === "number" ? `≤ ${span(ms)}` : words.never;
  };
  const badge = isInForce ? [h("span", { class: "badge" }, words.inForce)] : [];
  const means = h("span", { class: "means" }, words.presetMeans[preset] ?? "");
  const cells = [
    spaced(life),
    words.bytes(costs.bytes[0]?.bytes ?? 0),
    String(traffic?.reads ?? "–"),
    String(traffic?.writes ?? "–"),
    most("follows the feed"),
    most("asks nobody"),
  ];
  return h(
    "tr",
    { class: isInForce ? "in-force" : "" },
    h("th", { scope: "row" }, h("code", {}, preset), ...badge, means),
    ...cells.map((text) => h("td", {}, text)),
  );
}
