import { basicCredentials } from "./basic-credentials.ts";
import { type Host, hostOf } from "./host-name.ts";

/** A proxy that attempts go through, taken apart once. */
export interface Proxy extends Host {
  readonly secure: boolean;
  readonly port: number;
  /** Value of Proxy-Authorization; null without credentials. */
  readonly authorization: string | null;
}

/** Takes a checked proxy URL apart (config/urls.ts). */
export function createProxy(url: URL): Proxy {
  const secure = url.protocol === "https:";
  return {
    secure,
    ...hostOf(url),
    port: url.port === "" ? (secure ? 443 : 80) : Number(url.port),
    authorization:
      url.username === "" && url.password === "" ? null : basicCredentials(url.username, url.password),
  };
}
