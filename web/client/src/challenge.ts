/** What an answer of a service asks of the page (RFC 6750 §3, RFC 9470 §3). */

/** What is looked at of an answer; a `Response` is one. */
export interface Answer {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  json(): Promise<unknown>;
}

/** What to do about it: hand it on, get a new token and send the request again, or have the person step up. */
export type Verdict = "pass" | "renew" | StepUp;

/** The person must be authenticated anew, or more strongly. */
export interface StepUp {
  /** How long ago they may have been authenticated, in seconds. */
  readonly maxAge?: number | undefined;
  /** The levels that suffice, by one space. */
  readonly acrValues?: string | undefined;
}

/**
 * Reads the challenge of a 401. Any other answer is the page's, and so is a 401 that says nothing of a token: an
 * application has its own reasons to say "unauthorized". `revoked` is renewed too: only the authority itself is
 * believed that a session is over.
 */
export function verdictOf(answer: Answer): Verdict {
  const value = challengeOf(answer);
  const error = value("error");
  if (error === "insufficient_user_authentication")
    return { maxAge: Number(value("max_age")) || undefined, acrValues: value("acr_values") };
  return error === "invalid_token" && /^(expired|stale|revoked)?$/.test(value("reason") ?? "")
    ? "renew"
    : "pass";
}

/** Whether what the token says of the person has changed. */
export const isStale = (answer: Answer): boolean => challengeOf(answer)("reason") === "stale";

/** The parameters of the challenge that is about a token, if there is one. */
function challengeOf({ status, headers }: Answer): (name: string) => string | undefined {
  const [text] =
    (status === 401 && /\b(?:Bearer|DPoP) .*/i.exec(headers.get("www-authenticate") ?? "")) || [];
  return (name) => new RegExp(`[ ,]${name}="([^"]*)`).exec(text ?? "")?.[1];
}
