/** What brings a page back to life; timers sleep with it. */

/** Whether anybody may be looking. */
export const isVisible = (): boolean => globalThis.document?.visibilityState !== "hidden";

/** Calls `woke` whenever the page comes back; returns what stops that. `visibilitychange` comes up to the window. */
export function onWake(woke: () => void): () => void {
  const look = () => isVisible() && woke();
  const each = (act: "addEventListener" | "removeEventListener") => {
    for (const name of ["visibilitychange", "pageshow", "online", "focus"])
      globalThis[act]?.(name, look);
  };
  each("addEventListener");
  return () => each("removeEventListener");
}
