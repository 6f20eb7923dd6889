import { createHash } from "node:crypto";
import * as v from "valibot";
import { pageFiles } from "../dashboard/files.ts";
import { namesTag } from "./conditional.ts";
import type { AdminDeps } from "./deps.ts";
import { answer } from "./description.ts";
import { jsonReply, textReply, type Reply } from "./reply.ts";
import { RequestError } from "./request-error.ts";
import { pathParameter, route, type AdminRequest, type Route } from "./route.ts";

/** Scripts and styles are the page's own files, and it talks to this server only (contract §6). */
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const contentTypes: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
};

/** A file of the page with the headers that are the same in every answer. */
interface PageFile {
  readonly text: string;
  readonly tag: string;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * The page at `/` and its files under `/dashboard/`. They need no token, and hold nothing but what is in every hookline
 * of this version; what the page shows, it asks of `/v1` as anybody else does.
 *
 * `no-cache` has a browser ask each time whether its copy is the current one, which an ETag answers in a few bytes: after
 * an upgrade no old module meets a new one.
 *
 * `/dashboard/access` tells whether such a request needs a token: a browser writes every refused request into its console.
 *
 * @param refusalOf Why a request without a token may not read /v1; null where it may.
 */
export function dashboardRoutes(
  deps: Pick<AdminDeps, "live">,
  refusalOf: (request: AdminRequest) => string | null,
): Route[] {
  let files: ReadonlyMap<string, PageFile> | null = null;
  const answerFile = (request: AdminRequest, path: string): Reply => {
    requireOn(deps);
    files ??= new Map([...pageFiles()].map(([name, text]) => [name, describeFile(name, text)]));
    const file = files.get(path);
    if (file === undefined) throw new RequestError("not_found", "the page has no such file");
    const known = request.headers.get("if-none-match") ?? null;
    if (known !== null && namesTag(known, file.tag)) {
      return { status: 304, headers: file.headers, body: null };
    }
    return { status: 200, headers: file.headers, body: file.text };
  };
  const file = (path: string, id: string, example: Readonly<Record<string, string>>): Route =>
    route({
      method: "GET",
      path,
      access: "open",
      // A browser asks for a module with an Origin; a proxy in front may have sent another Host.
      fromAnywhere: true,
      about: () => ({
        id,
        summary: path === "/" ? "The page for people" : "A file of the page",
        details: "404 where `server.dashboard` is false.",
        answers: {
          200: {
            text: "The file, with an ETag.",
            schema: v.string(),
            example: path === "/" ? "<!doctype html>…" : "…",
            contentType: path === "/" ? "text/html" : "text/javascript",
          },
          304: { text: "`If-None-Match` names the current one.", schema: null },
        },
        errors: ["not_found"],
        example: { path: example },
      }),
      handle(request) {
        const named = [pathParameter(request, "folder"), pathParameter(request, "file")];
        return answerFile(request, named.filter((part) => part !== "").join("/") || "index.html");
      },
    });
  return [
    route({
      method: "GET",
      path: "/dashboard/access",
      access: "open",
      about: () => ({
        id: "getPageAccess",
        summary: "Say whether such a request needs a token to read /v1",
        answers: {
          200: answer("Why it needs one; null where it does not.", accessAnswer(), { refusal: null }),
        },
        errors: ["not_found"],
      }),
      handle(request) {
        requireOn(deps);
        return jsonReply({ refusal: refusalOf(request) });
      },
    }),
    file("/", "getPage", {}),
    file("/dashboard/:file", "getPageFile", { file: "main.js" }),
    file("/dashboard/:folder/:file", "getPageFolderFile", { folder: "screens", file: "overview.js" }),
  ];
}

const accessAnswer = () => v.object({ refusal: v.nullable(v.string()) });

function requireOn({ live }: Pick<AdminDeps, "live">): void {
  if (live.config.server.dashboard) return;
  throw new RequestError("not_found", "the page is switched off: server.dashboard is false");
}

function describeFile(name: string, text: string): PageFile {
  const type = contentTypes[name.slice(name.lastIndexOf(".") + 1)];
  if (type === undefined) throw new Error(`${name} has no content type`);
  const tag = `"${createHash("sha256").update(text).digest("base64url").slice(0, 22)}"`;
  const { headers } = textReply(type, text, 200, {
    "cache-control": "no-cache",
    etag: tag,
    "content-security-policy": policy,
    "referrer-policy": "no-referrer",
  });
  return { text, tag, headers };
}
