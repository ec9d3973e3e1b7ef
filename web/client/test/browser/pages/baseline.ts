/** Renewal as it is written by hand around axios: one at a time in this tab, others wait, any failure signs out. */

import axios, { type AxiosError, type InternalAxiosRequestConfig } from "axios";

interface Retried extends InternalAxiosRequestConfig {
  isRetried?: boolean;
}

interface Answer {
  readonly access_token: string;
  readonly refresh_token: string;
}

/** Keeps what a sign-in or a renewal answered. */
export function keep({ access_token, refresh_token }: Answer): void {
  localStorage.setItem("access", access_token);
  localStorage.setItem("refresh", refresh_token);
}

/** Makes an instance whose requests are renewed for; `toSignIn` is what opens the sign-in page. */
export function create(clientId: string, toSignIn: () => void) {
  const api = axios.create({ baseURL: "/api", transformResponse: [(data: unknown) => data] });
  let isRenewing = false;
  let waiting: { resume: () => void; fail: (why: unknown) => void }[] = [];

  api.interceptors.request.use((config) => {
    config.headers.set("authorization", `Bearer ${localStorage.getItem("access")}`);
    return config;
  });

  api.interceptors.response.use(undefined, async (why: AxiosError) => {
    const config = why.config as Retried | undefined;
    if (why.response?.status !== 401 || !config || config.isRetried) throw why;
    config.isRetried = true;
    if (isRenewing) {
      await new Promise<void>((resume, fail) => waiting.push({ resume, fail }));
      return api(config);
    }
    isRenewing = true;
    try {
      const form = new URLSearchParams({
        grant_type: "refresh_token",
        client_id: clientId,
        refresh_token: localStorage.getItem("refresh") ?? "",
      });
      keep((await axios.post<Answer>("/oauth2/token", form)).data);
      waiting.forEach(({ resume }) => resume());
    } catch (failure) {
      waiting.forEach(({ fail }) => fail(failure));
      localStorage.clear();
      toSignIn();
      throw failure;
    } finally {
      isRenewing = false;
      waiting = [];
    }
    return api(config);
  });

  return api;
}
