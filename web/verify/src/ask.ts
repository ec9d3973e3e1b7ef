/**
 * What is asked about a token, and what is made of the answer.
 *
 * Question and event may race, and it does not matter who wins. An answer carries the counters at which it was given: one from
 * before an event is hit by that event's mark, whichever of the two arrives first, and one from after it is not.
 */

import { setTimeout as pause } from "node:timers/promises";
import {
  fresh,
  inTime,
  isOpaque,
  look,
  meantForUs,
  opened,
  proved,
  sessionOfOpaque,
  type Expected,
  type Looked,
} from "./check.js";
import { beforeAsking, keepComplete, keepTold, lookTold, type Sent } from "./told.js";
import type { Claims } from "./claims.js";
import type { Now } from "./now.js";
import type { Policy } from "./policy.js";
import type { Presented } from "./presented.js";
import type { Answer } from "./questions.js";
import { Rejected } from "./rejected.js";
import { jitter } from "./rest.js";

/** How often one request asks while what it is told is older than what is known by then. Inclusive. */
const QUESTIONS_MAX = 3;

/** Between those questions: whoever answers may hear of an event a little later than we do. */
const AGAIN_MS = 50;

/** How a token is asked about. */
export interface Asking {
  readonly of: Expected;
  now(): Now;
  ask(token: string, isKnown: boolean): Promise<Answer>;
}

/** Asks about a token, of which `signed` is known to be genuine, if anything is. */
export async function ask(
  asking: Asking,
  presented: Presented,
  policy: Policy,
  signed: Looked | undefined,
): Promise<Looked> {
  // The authority cannot open what it sealed for somebody else's key; it knows what it signed.
  const shown = signed ? opened(asking.of, presented.token) : presented.token;
  for (let question = 0; question < QUESTIONS_MAX; question += 1) {
    if (question) await pause(jitter(AGAIN_MS));
    const sent = beforeAsking(asking.of, presented.token, signed);
    const answer = await asking.ask(shown, (signed ?? sent.kept) !== undefined);
    if (answer.is === "none") break;
    if (answer.is === "inactive") throw whyInactive(asking, presented, policy);
    const taken = take(asking, presented, policy, sent, answer.claims);
    if (taken) return taken;
  }
  throw NO_ANSWER();
}

/** As if nobody had answered. */
const NO_ANSWER = () => new Rejected({ is: "unverifiable", what: "session" });

/** Takes an answer that says yes; nothing: it is older than what is known. */
function take(
  { of, now }: Asking,
  presented: Presented,
  policy: Policy,
  sent: Sent,
  told: Claims | undefined,
): Looked | undefined {
  const { signed } = sent;
  if (!signed) {
    if (!told || !isOfHandle(presented.token, told, now())) throw NO_ANSWER();
    return believe(of, presented, policy, sent, told, now());
  }
  if (told && !isOfTheSame(signed.claims, told)) throw NO_ANSWER();
  if (signed.claims.rights !== undefined) return complete(of, presented.token, sent, told);
  if (told && told.ver.some((counter, at) => counter !== signed.claims.ver[at]))
    return believe(of, presented, policy, sent, told, now());
  const outdated = judged(of, signed.claims);
  // Whatever another kind of authority says beside yes, the token says itself.
  if (!outdated) return { ...signed, standing: undefined };
  if (!told) throw NO_ANSWER();
  return undefined;
}

/** Takes what a thin token leaves out; nothing: the answer is older than what is known. */
function complete(
  of: Expected,
  token: string,
  sent: Sent,
  told: Claims | undefined,
): Looked | undefined {
  const { claims, kid, proof } = sent.signed!;
  if (!told) throw NO_ANSWER();
  if (judged(of, claims)) return undefined;
  // Something else holds by now, which the next token names.
  if (told.rights !== claims.rights) throw new Rejected({ is: "stale" });
  const whole = { ...claims, roles: told.roles, extra: told.extra, rights: undefined };
  keepComplete(of, token, whole, sent);
  return { claims: whole, kid, proof, standing: undefined };
}

/** Takes what holds of a token, as it would be taken from one that says so itself. */
function believe(
  of: Expected,
  presented: Presented,
  policy: Policy,
  sent: Sent,
  told: Claims,
  now: Now,
): Looked | undefined {
  meantForUs(of, told);
  if (!sent.signed) {
    // An opaque token is bound to no key, and what was presented as a bearer token must not be a bound one (RFC 9449 §7.2).
    if (told.jkt !== undefined) throw new Rejected({ is: "binding" });
    // Our authority issues none such, and what is kept would let in more than once.
    if (told.one_use) throw NO_ANSWER();
    proved(of, presented, told, policy, now);
  }
  const known = judged(of, told);
  if (known?.effect === "revoked") throw new Rejected({ is: "revoked", ended: known.reason });
  if (known) return undefined;
  inTime(told, policy, now);
  keepTold(of, presented.token, told, sent);
  const tooOld = fresh(of, policy, told.staleness, now);
  // It has just been asked about.
  if (tooOld && tooOld.refusal.is !== "ask") throw tooOld;
  return { claims: told, kid: sent.signed?.kid, proof: sent.signed?.proof, standing: undefined };
}

const judged = ({ mirror }: Expected, claims: Claims) =>
  mirror.judge(mirror.namesOf(claims, undefined), claims.ver);

/** Introspection tells no reason; by now the mirror may. */
function whyInactive({ of, now }: Asking, presented: Presented, policy: Policy): Rejected {
  const revoked = new Rejected({ is: "revoked", ended: undefined });
  try {
    const looks = isOpaque(presented.token) ? lookTold : look;
    const { claims, standing } = looks(of, presented, policy, now());
    if (standing?.refusal.is === "revoked" || standing?.refusal.is === "expired") return standing;
    return judged(of, claims) ? new Rejected({ is: "stale" }) : revoked;
  } catch (why) {
    return why instanceof Rejected && why.refusal.is === "expired" ? why : revoked;
  }
}

/** Whether an answer is about this very token; what may differ is what a change can change. */
const isOfTheSame = (signed: Claims, told: Claims): boolean =>
  (["iss", "sub", "client_id", "jti", "jkt", "sid"] as const).every(
    (name) => signed[name] === told[name],
  ) && told.exp <= signed.exp;

/** Whether an answer is about the session that an opaque token names, and is good for any time at all. */
const isOfHandle = (token: string, told: Claims, { wall }: Now): boolean =>
  told.sid === sessionOfOpaque(token) && wall < told.exp * 1000;
