import type { BundledPackage } from "./licenses.ts";
import type { Revision } from "./revision.ts";
import { runtimeVersion } from "./targets.ts";

/** bun.lock, as far as it matters here: `name: [name@version, …, integrity]`. */
interface LockFile {
  readonly packages: Readonly<Record<string, readonly unknown[]>>;
}

/**
 * The bill of materials, CycloneDX 1.6 in JSON: each package that is inside of the executable with the sum that
 * bun.lock pins, and Bun. Packages of the build and of the tests are not in it.
 */
export function createSbom(facts: {
  readonly version: string;
  readonly revision: Revision;
  readonly packages: readonly BundledPackage[];
  readonly lock: string;
}): string {
  const { version, revision, packages } = facts;
  const sums = lockedSums(facts.lock);
  const root = { type: "application", name: "hookline", version, "bom-ref": `hookline@${version}` };
  const components = packages.map((part) => {
    const integrity = sums.get(`${part.name}@${part.version}`);
    if (integrity === undefined) {
      throw new Error(
        `${part.name} ${part.version} is bundled, but bun.lock does not pin it: run bun install`,
      );
    }
    return {
      type: "library",
      "bom-ref": purl(part.name, part.version),
      ...nameParts(part.name),
      version: part.version,
      purl: purl(part.name, part.version),
      hashes: [{ alg: "SHA-512", content: Buffer.from(integrity.slice(7), "base64").toString("hex") }],
      licenses: [
        /[ ()]/.test(part.license) ? { expression: part.license } : { license: { id: part.license } },
      ],
    };
  });
  const runtime = {
    type: "framework",
    "bom-ref": purl("bun", runtimeVersion),
    name: "bun",
    version: runtimeVersion,
    purl: purl("bun", runtimeVersion),
    licenses: [{ license: { id: "MIT" } }],
  };
  const all = [...components, runtime];
  const document = {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      timestamp: revision.date,
      component: {
        ...root,
        licenses: [{ license: { id: "MIT" } }],
        properties: [{ name: "hookline:commit", value: revision.commit }],
      },
    },
    components: all,
    dependencies: [{ ref: root["bom-ref"], dependsOn: all.map((part) => part["bom-ref"]) }],
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function lockedSums(lock: string): Map<string, string> {
  // JSON with commas behind the last member.
  const { packages } = Bun.JSONC.parse(lock) as LockFile;
  const sums = new Map<string, string>();
  for (const [spec, ...others] of Object.values(packages)) {
    const integrity = others.find((part) => typeof part === "string" && part.startsWith("sha512-"));
    if (typeof spec === "string" && typeof integrity === "string") sums.set(spec, integrity);
  }
  return sums;
}

const purl = (name: string, version: string): string => `pkg:npm/${name.replace(/^@/, "%40")}@${version}`;

function nameParts(name: string): { readonly group?: string; readonly name: string } {
  const [scope, rest] = name.split("/");
  return rest === undefined ? { name } : { group: scope ?? "", name: rest };
}
