/** A mini-program, or uni-app: `wx` or `uni` in place of a browser. */

import { createClient } from "@symbolon/client";
import { type Host, type HostRequest, mini, request, wakeBy } from "@symbolon/client/mini";

declare const wx: Host;

const client = createClient({
  authority: "https://id.example.com",
  clientId: "mini",
  origins: ["https://api.example.com"],
  ...mini(wx),
});
wakeBy(client, wx);

/** In place of `wx.request`. */
export const send = (options: HostRequest) => request(client, wx, options);
