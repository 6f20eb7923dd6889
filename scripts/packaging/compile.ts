/**
 * Bundles src/main.ts and compiles it to an executable; started by scripts/build.ts, in the repository's root.
 *
 * usage: bun scripts/packaging/compile.ts OUTFILE BUILD_MARK [TARGET RUNTIME]
 *
 * A process of its own, because the bytes depend on the working directory, on NODE_ENV and on the outfile's
 * name. RUNTIME is the Bun of the platform TARGET; without them the one that runs this goes in.
 */
import { resolve } from "node:path";
import { packagesOfPage } from "../../src/dashboard/files.ts";
import { bundlePage } from "./page.ts";
import { bundledPackages, licenseText, readPackage, type BundledPackage } from "./licenses.ts";

const root = resolve(import.meta.dir, "..", "..");

/** What every bundle of src/main.ts has in common, compiled or not. */
const bundling = {
  // The second one is the thread that history/file/thread.ts starts.
  entrypoints: [resolve(root, "src", "main.ts"), resolve(root, "src", "history-worker.ts")],
  target: "bun",
  format: "esm",
  // Commands are loaded when they run: one bundle would make each of them parse the AWS SDK.
  splitting: true,
  // Errors are told apart by name in places; without keepNames, class names are mangled.
  minify: { whitespace: true, identifiers: true, syntax: true, keepNames: true },
} as const satisfies Bun.BuildConfig;

/** The packages inside of the executable, found by bundling the sources. */
export async function findBundledPackages(): Promise<BundledPackage[]> {
  const { metafile } = await Bun.build({ ...bundling, metafile: true });
  if (metafile === undefined) throw new Error("bun wrote no metafile: the licences cannot be collected");
  const bundled = bundledPackages(root, metafile);
  // Of the page they are texts to the bundler, which does not name them.
  const ofPage = packagesOfPage.map((name) => readPackage(root, `node_modules/${name}`));
  return [...bundled, ...ofPage.filter(({ name }) => !bundled.some((one) => one.name === name))];
}

/** Replaces src/cli/bundled-licenses.ts, which is empty in the sources, by the text of the licences. */
function fillLicenses(text: string): Bun.BunPlugin {
  return {
    name: "licenses",
    setup(build) {
      build.onLoad({ filter: /\/src\/cli\/bundled-licenses\.ts$/ }, () => ({
        loader: "ts",
        contents: `export const bundledLicenses = ${JSON.stringify(text)};`,
      }));
    },
  };
}

/** Replaces src/dashboard/bundled-files.ts, which is empty in the sources, by the files of the page. */
function fillPage(files: ReadonlyMap<string, string>): Bun.BunPlugin {
  return {
    name: "page",
    setup(build) {
      build.onLoad({ filter: /\/src\/dashboard\/bundled-files\.ts$/ }, () => ({
        loader: "ts",
        contents: `export const bundledFiles = ${JSON.stringify([...files])};`,
      }));
    },
  };
}

if (import.meta.main) {
  const [outfile, mark, target, executablePath] = process.argv.slice(2);
  if (outfile === undefined || mark === undefined)
    throw new Error("usage: compile.ts OUTFILE MARK [TARGET RUNTIME]");
  await Bun.build({
    ...bundling,
    compile: {
      outfile,
      ...(target === undefined || executablePath === undefined
        ? {}
        : { target: `bun-${target}` as Bun.Build.CompileTarget, executablePath }),
      // Neither a .env nor a bunfig.toml of the working directory is ours; the latter would run code.
      autoloadDotenv: false,
      autoloadBunfig: false,
    },
    // Parsed ahead: ready in about 40 ms instead of 90, for 6 MB.
    bytecode: true,
    define: {
      HOOKLINE_BUILD: JSON.stringify(mark),
      // Bun would write the folder that a package was bundled from, a path of this machine, in its place.
      __dirname: '"/"',
      __filename: '"/"',
    },
    plugins: [fillLicenses(licenseText(root, await findBundledPackages())), fillPage(await bundlePage())],
  });
}
