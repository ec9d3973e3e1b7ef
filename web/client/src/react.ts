/** The session, for React. */

import { useSyncExternalStore } from "react";
import type { Client, Session } from "./client.js";

/** The session as it stands; the component is rendered anew when it changes. */
export const useSession = (client: Client): Session => {
  const session = () => client.session;
  return useSyncExternalStore(client.subscribe, session, session);
};
