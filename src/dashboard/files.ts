import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { stripTypes } from "../runtime.ts";
import { bundledFiles } from "./bundled-files.ts";

/** The packages of which code is in the page. */
export const packagesOfPage = ["htm", "preact"] as const;

/** Where the page's own modules find what they import by a package's name. */
const packageFiles: readonly { readonly name: string; readonly path: string; readonly source: string }[] = [
  { name: "htm", path: "vendor/htm.js", source: "htm/dist/htm.mjs" },
  { name: "preact", path: "vendor/preact.js", source: "preact/dist/preact.mjs" },
  { name: "preact/hooks", path: "vendor/hooks.js", source: "preact/hooks/dist/hooks.mjs" },
];

/**
 * The files of the page as a browser gets them, by their paths: plain modules that import each other by relative paths,
 * for an import map would have to stand in the page itself, which its policy forbids.
 *
 * An executable holds them. From the source they are made when they are first asked for.
 */
export function pageFiles(): ReadonlyMap<string, string> {
  return bundledFiles === null ? readPageFiles() : new Map(bundledFiles);
}

/** As pageFiles, from the source in `page/` and the packages. */
export function readPageFiles(): ReadonlyMap<string, string> {
  const folder = join(import.meta.dirname, "page");
  const packages = join(import.meta.dirname, "..", "..", "node_modules");
  const names = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(folder.length + 1)
        .replaceAll("\\", "/"),
    )
    .sort();
  const own = names.map((name): [string, string] => {
    const text = readFileSync(join(folder, name), "utf8");
    if (name.endsWith(".css")) return [name, smallerStyle(text)];
    if (!name.endsWith(".ts")) return [name, text];
    const path = `${name.slice(0, -3)}.js`;
    return [path, withRelativeImports(withoutIndents(stripTypes(text)), path)];
  });
  const others = packageFiles.map(({ path, source }): [string, string] => [
    path,
    withRelativeImports(withoutSourceMap(readFileSync(join(packages, source), "utf8")), path),
  ]);
  // Nothing is left of a file of types, and nobody imports it.
  return withPreloads(new Map([...own, ...others].filter(([, text]) => text.trim() !== "")));
}

/** The page names all its modules, so that a browser asks for them at once and not import by import. */
function withPreloads(files: Map<string, string>): Map<string, string> {
  const links = [...files.keys()]
    .filter((path) => path.endsWith(".js"))
    .map((path) => `<link rel="modulepreload" href="dashboard/${path}" />`);
  const page = files.get("index.html") ?? "";
  return files.set("index.html", page.replace("<!-- modules -->", links.join("\n    ")));
}

/** Without the indents of templates, which htm leaves out anyway. */
function withoutIndents(script: string): string {
  return script.replaceAll(/\n\s+/g, "\n");
}

/** Without comments and the spaces that mean nothing. */
function smallerStyle(style: string): string {
  return style
    .replaceAll(/\/\*[\s\S]*?\*\//g, "")
    .replaceAll(/\s+/g, " ")
    .replaceAll(/ ?([{};,]) ?/g, "$1")
    .replaceAll(": ", ":")
    .replaceAll(";}", "}")
    .trim();
}

/** `./api.ts` becomes `./api.js`, and a package's name the path of its file. */
function withRelativeImports(text: string, path: string): string {
  const up = "../".repeat(path.split("/").length - 1) || "./";
  return text.replaceAll(
    /(\bfrom\s*|\bimport\s*)(["'])([^"']+)\2/g,
    (whole, verb: string, _quote, name: string) => {
      const known = packageFiles.find((one) => one.name === name);
      if (known !== undefined) return `${verb}"${up}${known.path}"`;
      return name.startsWith(".") ? `${verb}"${name.replace(/\.ts$/, ".js")}"` : whole;
    },
  );
}

function withoutSourceMap(text: string): string {
  return text.replace(/\n?\/\/# sourceMappingURL=.*\s*$/, "\n");
}
