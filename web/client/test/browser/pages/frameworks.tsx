/** One page with React (StrictMode), Vue and axios, as applications use them. */

import axios from "axios";
import { createElement, StrictMode, useEffect } from "react";
import { createRoot } from "react-dom/client";
import { createApp, h } from "vue";
import { createClient, type Options } from "../../../src/index.js";
import { useSession as useInReact } from "../../../src/react.js";
import { useSession as useInVue } from "../../../src/vue.js";

/** Mounts everything. */
export function mount(options: Options) {
  const client = createClient(options);
  const React = () => {
    useEffect(() => {
      const own = createClient(options);
      return () => own.dispose();
    }, []);
    return createElement("p", { id: "react" }, useInReact(client).phase);
  };
  const Vue = {
    setup() {
      const session = useInVue(client);
      return () => h("p", { id: "vue" }, session.value.phase);
    },
  };
  const place = () => document.body.appendChild(document.createElement("div"));
  createRoot(place()).render(createElement(StrictMode, null, createElement(React)));
  createApp(Vue).mount(place());
  const api = axios.create({
    baseURL: "/api",
    transformRequest: [(data: unknown) => `<${String(data)}>`],
    transformResponse: [(data: unknown) => data],
  });
  let intercepted = 0;
  api.interceptors.request.use((config) => (intercepted++, config));
  const off = client.axios(api);
  return { client, api, off, intercepted: () => intercepted };
}
