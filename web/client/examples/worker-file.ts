/** What runs in the worker. */

import { keepTokens } from "@symbolon/client/worker-thread";

Object.assign(globalThis, { onconnect: keepTokens("https://id.example.com") });
