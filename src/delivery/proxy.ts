import { isIP } from "node:net";
import { basicCredentials } from "./basic-credentials.ts";

/** A proxy that attempts go through, taken apart once. */
export interface Proxy {
  readonly secure: boolean;
  readonly hostname: string;
  readonly isAddress: boolean;
  readonly port: number;
  /** Value of Proxy-Authorization; null without credentials. */
  readonly authorization: string | null;
}

/** Takes a checked proxy URL apart (config/urls.ts). */
export function createProxy(url: URL): Proxy {
  const secure = url.protocol === "https:";
  const hostname = url.hostname.replace(/^\[|\]$/g, "");
  return {
    secure,
    hostname,
    isAddress: isIP(hostname) !== 0,
    port: url.port === "" ? (secure ? 443 : 80) : Number(url.port),
    authorization:
      url.username === "" && url.password === "" ? null : basicCredentials(url.username, url.password),
  };
}
