/** The page around the two tabs. */

import { backend, Refused } from "./backend.js";
import { costs } from "./costs.js";
import { enable, h, isEnabled, painted, say } from "./dom.js";
import { latency } from "./latency.js";
import { apology, layout } from "./layout.js";
import { log } from "./log.js";
import { type Act, ACTS } from "./outcome.js";
import { seen } from "./seen.js";
import { shell } from "./shell.js";
import { speech } from "./speech.js";
import { timeline } from "./timeline.js";
import type { Setup } from "./wire.js";

/** In the part of the address that no browser sends. */
const key = new URLSearchParams(location.hash.slice(1)).get("key") ?? "";
const own = backend(key);
const spoken = speech();
const { text, told, words } = spoken;

/** Instead of the page: it was opened without its key, or `dev` is gone, or was started again. */
function sorry(why: unknown): undefined {
  const isKey = why instanceof Refused && why.status === 401;
  document.body.replaceChildren(...apology(spoken, isKey ? "noKey" : "unreachable"));
}

function frame(who: string): HTMLElement {
  const frame = h("iframe", { id: who });
  told(({ tab }) => (frame.title = tab(who)));
  return h("div", { class: "panel frame" }, frame);
}

function button(act: Act, run: (act: Act) => void): HTMLElement {
  const button = h("button", { type: "button", onclick: () => isEnabled(button) && run(act) });
  button.append(
    text(h("b"), ({ acts }) => acts[act].name),
    text(h("span"), ({ acts }) => acts[act].hint),
  );
  enable(button, false);
  return button;
}

async function begin(): Promise<void> {
  if (!key) return sorry(new Refused(401, ""));
  const shown = {
    timeline: timeline(words),
    log: log(words),
    latency: latency(words),
    seen: seen(words),
  };
  for (const { speak } of Object.values(shown)) told(speak);
  let run: (act: Act) => void = () => {};
  const buttons = Object.fromEntries(
    ACTS.map((act) => [act, button(act, (act) => run(act))]),
  ) as Record<Act, HTMLElement>;
  const [where, costsHint, table] = [h("code"), h("p", { class: "soft" }), h("div")];
  const busy = h("input", { type: "checkbox", checked: true });
  const api = h("a", { target: "_blank", rel: "noopener" });
  const tabs = ["A", "B"].map(frame);
  const elements = {
    timeline: shown.timeline.element,
    log: shown.log.element,
    latency: shown.latency.element,
    seen: shown.seen.element,
  };
  // What is in the HTML is to be seen first: drawing the rest takes longer than everything before.
  await painted();
  document.body.replaceChildren(
    ...layout(spoken, { ...elements, where, tabs, buttons, busy, costsHint, costs: table, api }),
  );
  // The tabs are loaded when there is something to see, and not instead of it.
  const [setup] = await Promise.all([own.setup(), painted()]);
  tell(setup);
  run = shell({ setup, backend: own, speech: spoken, ...shown, buttons, busy, tabs, sorry });

  function tell({ authority, client_id, presets }: Setup): void {
    say(where, authority);
    text(api, ({ api }) => api);
    told((words) => {
      api.href = `${authority}/docs?lang=${spoken.language}`;
      say(costsHint, words.costsHint(client_id, presets[0]?.preset ?? ""));
      table.replaceChildren(costs(presets, words));
    });
  }
}

told(({ lang, title }) => {
  document.documentElement.lang = lang;
  document.title = title;
});
void begin().catch(sorry);
