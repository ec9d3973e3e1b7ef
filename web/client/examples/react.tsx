/** React: the session in a component, a guard that waits, a dialog when the session is over. */

import { createClient } from "@symbolon/client";
import { listen } from "@symbolon/client/events";
import { useSession } from "@symbolon/client/react";
import { useEffect, useState, type ReactNode } from "react";

/** Opens the application's own sign-in, and comes back once the cookie is set. */
declare function signInDialog(why: string): Promise<void>;

const client = createClient({
  authority: location.origin,
  clientId: "web",
  async onSessionEnded({ reason }) {
    await signInDialog(reason);
    await client.signIn();
  },
});

/** Renders its children for whoever is signed in. */
export function SignedIn({ children }: { readonly children: ReactNode }) {
  const { phase, end } = useSession(client);
  useEffect(() => listen(client), []);
  if (phase === "restoring") return <p role="status">…</p>;
  if (phase === "displaced")
    return <p role="alert">Signed in on {end?.device ?? "another device"}.</p>;
  return phase === "signed-out" || phase === "ended" ? <a href="/sign-in">Sign in</a> : children;
}

/** Orders of whoever is signed in. */
export function Orders() {
  const [orders, setOrders] = useState("");
  useEffect(() => {
    void client.fetch("/orders").then(async (answer) => setOrders(await answer.text()));
  }, []);
  return <pre>{orders}</pre>;
}
