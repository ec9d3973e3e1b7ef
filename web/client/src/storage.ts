/** Where the refresh token is kept between renewals. */

/** What is kept. */
export interface Kept {
  readonly refresh: string;
  /** How often it was replaced. */
  readonly count: number;
}

/**
 * A place for the refresh token. One without members is this page's memory, and other tabs are asked for what they
 * have.
 */
export interface Storage {
  /** Whether the page never sees it: the browser sends it in a cookie, or a worker adds it. */
  readonly hidden?: boolean;
  load?(): Kept | undefined | Promise<Kept | undefined>;
  save?(kept: Kept): void | Promise<void>;
  clear?(): void | Promise<void>;
}

/**
 * The default: an HttpOnly cookie, for clients with `delivery = "cookie"`, whose authority is reached under the page's
 * own host. A script that was smuggled in finds no refresh token.
 */
export const cookie: Storage = { hidden: true };

/** This page's memory: gone with the last tab. A script that was smuggled in can take the session. */
export const memory: Storage = {};

/**
 * `localStorage` or the like, for those who must. What it costs: a script that was smuggled in, today or in a year,
 * takes the session away and uses it elsewhere; see docs/guide/cookies-or-headers.md.
 */
export const webStorage = (
  area: Pick<globalThis.Storage, "getItem" | "setItem" | "removeItem">,
  key = "symbolon",
): Storage => ({
  load() {
    const [refresh, count] = (area.getItem(key) ?? "").split(" ");
    return refresh ? { refresh, count: Number(count) || 0 } : undefined;
  },
  save: ({ refresh, count }) => area.setItem(key, `${refresh} ${count}`),
  clear: () => area.removeItem(key),
});
