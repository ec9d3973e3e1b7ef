/** Why sessions end (docs/DESIGN.md §4.3). The order is part of the feed's layout. */
export const REASONS = [
  "signed_out",
  "kicked",
  "displaced",
  "banned",
  "password_changed",
  "permissions_changed",
  "replayed",
  "binding_mismatch",
  "idle",
  "expired",
  "key_compromised",
  "client_disabled",
  "admin",
] as const;

/** Why a session ended. */
export type Reason = (typeof REASONS)[number];

/** The reason of that name. */
export const reasonOf = (name: unknown): Reason | undefined =>
  REASONS.find((reason) => reason === name);

/** Must sign in, or must renew. */
export type Effect = "revoked" | "stale";
