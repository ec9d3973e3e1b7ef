/** URLs that are compared, and where the authority may be. */

/** The longest URL that a proof is compared with, in characters. Inclusive. */
const URL_MAX = 8 * 1024;

/**
 * An absolute URL of http or https without query and fragment, in its one spelling (RFC 3986 §6.2.2, §6.2.3); nothing for a
 * text that is none, or that has a name and password before the host.
 */
export function urlOf(text: string): string | undefined {
  const [, scheme = "", authority = "", path = ""] =
    /^(https?):\/\/([^/?#]*)([^?#]*)/i.exec(text) ?? [];
  const isPlain = text.length <= URL_MAX && /^[!-[\]-~]+$/.test(text);
  const own = authorityOf(authority, scheme.toLowerCase() === "https" ? "443" : "80");
  const segments = path.split("/").slice(1).map(segmentOf);
  if (!isPlain || own === undefined || segments.includes(undefined)) return undefined;
  return `${scheme.toLowerCase()}://${own}${walked(segments as string[])}`;
}

/** Small letters, and no port where it is the scheme's own. */
function authorityOf(text: string, standard: string): string | undefined {
  const [, host = "", port = ""] = /^((?:\[[^\]]*\]|[^:[\]])+?)(?::(\d{0,5}))?$/.exec(text) ?? [];
  if (!/^[A-Za-z0-9\-._~!$&'()*+,;=[\]:]+$/.test(host)) return undefined;
  return host.toLowerCase() + (port && port !== standard ? `:${port}` : "");
}

/** Needless escapes are undone, the others have capital digits. */
function segmentOf(segment: string): string | undefined {
  if (/%(?![0-9a-f]{2})/i.test(segment)) return undefined;
  return segment.replace(/%[0-9a-f]{2}/gi, (escaped) => {
    const character = String.fromCharCode(parseInt(escaped.slice(1), 16));
    return /[A-Za-z0-9\-._~]/.test(character) ? character : escaped.toUpperCase();
  });
}

/** Segments `.` and `..` are walked. */
function walked(segments: readonly string[]): string {
  const path: string[] = [];
  for (const [at, segment] of segments.entries()) {
    const isDots = segment === "." || segment === "..";
    if (segment === "..") path.pop();
    if (!isDots) path.push(segment);
    else if (at === segments.length - 1) path.push("");
  }
  return "/" + path.join("/");
}

/** Where an authority is reached. */
export interface Place {
  /** Its metadata: between host and path (RFC 8414 §3.1). */
  readonly metadata: string;
  /** A place of its own, by path and query: below its name. */
  at(path: string): string;
  /** Where keys are: anywhere that is as safe as the issuer itself. */
  keysAt(url: string): string | undefined;
  /** Where to ask: at the issuer's own host, since an API key travels there. */
  questionsAt(url: string): string | undefined;
}

/** The place of an issuer, or of a relay that is asked in its place. */
export function placeOf(issuer: string, through = issuer): Place {
  const url = safe(through);
  if (!url)
    throw new TypeError(
      `${through} must be a URL with https, or http on this machine itself, without user, query and fragment`,
    );
  const at = (path: string) => through.replace(/\/+$/, "") + path;
  const own = (text: string) => {
    const name = issuer.replace(/\/+$/, "");
    return text.startsWith(`${name}/`) ? at(text.slice(name.length)) : undefined;
  };
  return {
    metadata: `${url.origin}/.well-known/oauth-authorization-server${url.pathname.replace(/\/+$/, "")}`,
    at,
    keysAt(text) {
      const keys = safe(text, true);
      const isDowngrade = url.protocol === "https:" && keys?.protocol !== "https:";
      return own(text) ?? (keys && !isDowngrade ? text : undefined);
    },
    questionsAt: (text) =>
      own(text) ?? (safe(text, true)?.origin === url.origin ? text : undefined),
  };
}

/** https, or http that does not leave this machine; with a query only where that is allowed (RFC 8414 §2). */
function safe(text: string, query = false): URL | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  const isLocal = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname);
  const isSafe = url.protocol === "https:" || (url.protocol === "http:" && isLocal);
  const isPlain = !url.username && !url.password && (query || !/[?#]/.test(text));
  return isSafe && isPlain ? url : undefined;
}
