/** A platform that a release is made for. */
export interface Target {
  /** As it stands in the names of files. */
  readonly name: string;
  /** Bun for it: a package of the npm registry, in the version that package.json pins. */
  readonly runtimePackage: string;
  /** SHA-512 of that package's archive, as npm writes it: what the registry sends must be this, on every machine. */
  readonly integrity: string;
  /** The executable's name; Windows wants its suffix. */
  readonly executable: "hookline" | "hookline.exe";
  readonly archive: "tar.gz" | "zip";
  /** Debian's name of the architecture, where a Debian package is made as well. */
  readonly debian?: string;
  /** How the tests run it (scripts/test --long); null where none does, which README and the release notes say. */
  readonly tested: string | null;
}

/** The version of Bun that `integrity` belongs to; scripts/release refuses when package.json pins another. */
export const runtimeVersion = "1.4.5";

const unixLike = { executable: "hookline", archive: "tar.gz" } as const;

/** All targets, in the order of the release notes. */
export const targets: readonly Target[] = [
  {
    name: "linux-x64",
    runtimePackage: "@oven/bun-linux-x64",
    integrity:
      "sha512-IWX9BELoGHAUtMonkeSaNaZwXzRk+oDw6Mk+HBFXd3KHYIBNBsIGRupMZPcgNoDbJpLu6gAJjIoIVPZtt1aJ1g==",
    ...unixLike,
    debian: "amd64",
    tested: "all tests",
  },
  {
    name: "linux-x64-baseline",
    runtimePackage: "@oven/bun-linux-x64-baseline",
    integrity:
      "sha512-s8yMwYcFnnrA178gji0gZbkE2WVDej/Ti1x770oPfihxyRxSMNhGhiAQNXV53aDeraZxksdvKV/RAdQBCd0qPA==",
    ...unixLike,
    tested: "starts, runs the demo",
  },
  {
    name: "linux-arm64",
    runtimePackage: "@oven/bun-linux-aarch64",
    integrity:
      "sha512-4BXmsSKnjOrlGWqZV4x/oWa7AVoR+B6lCXddMzOAXBIm3t50eslg9wb66gmtW1AamEQ1l1CDvmmruysEhqOWMg==",
    ...unixLike,
    debian: "arm64",
    tested: "starts, runs the demo, emulated",
  },
  {
    name: "linux-x64-musl",
    runtimePackage: "@oven/bun-linux-x64-musl",
    integrity:
      "sha512-10QoW/YfTgnURaGEaHpJCiXjLI2e5iTtfVDaA5JKcyUzaa1cq6cVUY9/Uq5XkYzvtRjHLRe9Oj/lTDIQcxy8HQ==",
    ...unixLike,
    tested: null,
  },
  {
    name: "linux-arm64-musl",
    runtimePackage: "@oven/bun-linux-aarch64-musl",
    integrity:
      "sha512-XCNc+WvvMAdNNb+OWTogpy+N9wm62fkVeEVLb6how0RZhW5LPi6c7BlkeVCuWps7XjEl2saFpHFa20/1E+PAHg==",
    ...unixLike,
    tested: null,
  },
  {
    name: "darwin-x64",
    runtimePackage: "@oven/bun-darwin-x64",
    integrity:
      "sha512-qkLPMGHZM9NI6CeHTWwVezzmlo6cC4Ta7yUAjYIWXS366qQcOlcp75t2uZyiuVRBMPS0h9qE0tCcvCHGaFqjJg==",
    ...unixLike,
    tested: null,
  },
  {
    name: "darwin-arm64",
    runtimePackage: "@oven/bun-darwin-aarch64",
    integrity:
      "sha512-4MIFXHmctH2EhAxLXm2/qxNtv17dFtLJylvaOCsrgq6KSqHTs6eW5YSrJjRbJxYUJaR901fsN8JfZOa+CsWpWQ==",
    ...unixLike,
    tested: null,
  },
  {
    name: "windows-x64",
    runtimePackage: "@oven/bun-windows-x64",
    integrity:
      "sha512-FNvply651vcE/GHgNWz6mZvhmkwBuu8Hw54oNzA+CQog+HW+542rXQmZqNHRkFxazD9L3xi+iTtvO3engAgJfw==",
    executable: "hookline.exe",
    archive: "zip",
    tested: null,
  },
];

/** The targets of those names, all when none is given; throws naming one that is unknown. */
export function chooseTargets(names: readonly string[]): readonly Target[] {
  for (const name of names) {
    if (!targets.some((target) => target.name === name)) {
      throw new Error(`no target "${name}": there are ${targets.map((target) => target.name).join(", ")}`);
    }
  }
  return names.length === 0 ? targets : targets.filter(({ name }) => names.includes(name));
}
