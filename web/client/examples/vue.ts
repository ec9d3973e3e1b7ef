/** Vue: the session in a component, and a router's guard. */

import { createClient } from "@symbolon/client";
import { useSession } from "@symbolon/client/vue";
import { computed, defineComponent, h } from "vue";

const client = createClient({ authority: location.origin, clientId: "web" });

/** Shows who is here. */
export const Who = defineComponent(() => {
  const session = useSession(client);
  const isHere = computed(() => session.value.sid !== undefined);
  return () => h("p", { role: "status" }, isHere.value ? "signed in" : "signed out");
});

/** For `router.beforeEach`: waits until it is known whether somebody is signed in. */
export async function guard(): Promise<true | "/sign-in"> {
  await client.ready;
  return client.session.sid ? true : "/sign-in";
}
