/** An axios instance that renews. Its interceptors see one request and one answer, however often it was sent. */

import { createClient } from "@symbolon/client";
import axios from "axios";

const client = createClient({
  authority: "https://id.example.com",
  clientId: "web",
  origins: ["https://api.example.com"],
});

/** The application's own. */
export const api = axios.create({ baseURL: "https://api.example.com" });
client.axios(api);
