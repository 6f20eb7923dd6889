import { afterAll, beforeAll, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import { readPageFiles } from "../../src/dashboard/files.ts";
import { type Executable, runExecutable, startExecutable } from "../support/executable.ts";

let server: Executable;
beforeAll(async () => {
  server = await startExecutable({ queue: { driver: "memory" } });
});
afterAll(() => server[Symbol.asyncDispose]());

const get = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(server.url + path, { headers });

/** The page and what it names, by path. */
async function allFiles(): Promise<Map<string, Response>> {
  const files = new Map<string, Response>([["/", await get("/")]]);
  const text = await (files.get("/") as Response).clone().text();
  for (const [, path] of text.matchAll(/(?:href|src)="([^"]+)"/g))
    files.set(`/${path}`, await get(`/${path}`));
  return files;
}

test("the page and its files need no token, and say what may run in them", async () => {
  const files = await allFiles();
  expect([...files.keys()].toSorted()).toEqual([
    "/",
    "/dashboard/icon.svg",
    "/dashboard/main.js",
    "/dashboard/palette.css",
    "/dashboard/style.css",
  ]);
  for (const [path, file] of files) {
    expect([path, file.status, file.headers.get("content-security-policy")]).toEqual([
      path,
      200,
      "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ]);
    expect(file.headers.get("x-content-type-options")).toBe("nosniff");
    expect(file.headers.get("access-control-allow-origin")).toBeNull();
  }
  expect(files.get("/dashboard/main.js")?.headers.get("content-type")).toBe("text/javascript; charset=utf-8");
});

test("it is small: at most 120 KB in all, 45 KB compressed", async () => {
  const texts = await Promise.all([...(await allFiles()).values()].map((file) => file.text()));
  const sizes = texts.map((text) => Buffer.byteLength(text));
  const compressed = texts.map((text) => gzipSync(text).length);
  const sum = (values: number[]): number => values.reduce((all, one) => all + one, 0);
  expect(sum(sizes)).toBeLessThan(120_000);
  expect(sum(compressed)).toBeLessThan(45_000);
});

test("whoever has a file is told so by its ETag, also where a proxy has made it a weak one", async () => {
  for (const [path, file] of await allFiles()) {
    const tag = file.headers.get("etag") ?? "";
    expect(tag).toMatch(/^"[\w-]{22}"$/);
    expect(file.headers.get("cache-control")).toBe("no-cache");
    for (const known of [tag, `"other", W/${tag}`]) {
      const again = await get(path, { "if-none-match": known });
      expect([path, again.status, await again.text()]).toEqual([path, 304, ""]);
    }
    expect((await get(path, { "if-none-match": '"other"' })).status).toBe(200);
  }
});

test("no inline script or style, no import map, and only relative addresses", async () => {
  const text = await (await get("/")).text();
  expect(text).not.toMatch(/<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=|importmap/i);
  for (const [, path = ""] of text.matchAll(/(?:href|src)="([^"]+)"/g)) expect(path).toMatch(/^dashboard\//);
});

test("a module is asked for with an Origin: behind a proxy that sends another Host it is given all the same", async () => {
  for (const path of (await allFiles()).keys()) {
    expect([path, (await get(path, { origin: "http://proxy.example" })).status]).toEqual([path, 200]);
  }
  expect((await get("/dashboard/access", { origin: "http://proxy.example" })).status).toBe(403);
});

test("another path is not found", async () => {
  for (const path of [
    "/dashboard/none.js",
    "/dashboard/screens/none.js",
    "/dashboard/%2e%2e%2fmain.js",
    "/index.html",
  ]) {
    expect([path, (await get(path)).status]).toEqual([path, 404]);
  }
});

test("server.dashboard: false, also by a reload: 404 for the page and its files", async () => {
  const paths = [...(await allFiles()).keys(), "/dashboard/access"];
  server.configure({ server: { dashboard: false }, queue: { driver: "memory" } });
  expect((await server.api("POST", "/v1/config/reload")).status).toBe(200);
  for (const path of paths) expect([path, (await get(path)).status]).toEqual([path, 404]);
  expect((await server.api("GET", "/v1/problems")).status).toBe(200);
  server.configure({ queue: { driver: "memory" } });
  expect((await server.api("POST", "/v1/config/reload")).status).toBe(200);
  expect((await get("/")).status).toBe(200);
});

test("from the source, each module finds what it imports by a relative path", () => {
  const files = readPageFiles();
  const page = files.get("index.html") ?? "";
  const missing = [...files].flatMap(([path, text]) => {
    if (!path.endsWith(".js")) return [];
    expect(page).toContain(`<link rel="modulepreload" href="dashboard/${path}" />`);
    const imports = [...text.matchAll(/\b(?:from|import)\s*"([^"]+)"/g)].map(([, name = ""]) => name);
    return imports.filter(
      (name) =>
        !files.has(new URL(name, `http://page.test/${path}`).pathname.slice(1)) || !name.startsWith("."),
    );
  });
  expect(missing).toEqual([]);
  expect(files.size).toBeGreaterThan(30);
});

test("the licences of what is in it are told", async () => {
  const { stdout } = await runExecutable(["licenses"]);
  expect(stdout).toMatch(/^htm \d+\.\d+\.\d+ \(Apache-2\.0\)/m);
  expect(stdout).toMatch(/^preact \d+\.\d+\.\d+ \(MIT\)/m);
});
