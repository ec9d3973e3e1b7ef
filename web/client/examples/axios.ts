/** An axios instance that renews. Its interceptors see one request and one answer, however often it was sent. */

import { createClient, memory } from "@symbolon/client";
import axios from "axios";

const client = createClient({
  authority: "https://id.example.com",
  clientId: "web",
  origins: ["https://api.example.com"],
  storage: memory,
});

/** The application's own. */
export const api = axios.create({ baseURL: "https://api.example.com" });
client.axios(api);
