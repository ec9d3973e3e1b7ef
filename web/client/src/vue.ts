/** The session, for Vue. */

import { onScopeDispose, type ShallowRef, shallowReadonly, shallowRef } from "vue";
import type { Client, Session } from "./client.js";

/** The session as it stands, for as long as the component, or the scope, that asks for it. */
export function useSession(client: Client): Readonly<ShallowRef<Session>> {
  const session = shallowRef(client.session);
  onScopeDispose(client.subscribe(() => (session.value = client.session)));
  return shallowReadonly(session);
}
