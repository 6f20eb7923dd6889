import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const src = resolve(import.meta.dir, "../../src");
const text = readFileSync(join(src, "README.md"), "utf8");

test("every file and folder that src/README.md names is there", () => {
  const names = [...text.matchAll(/`([a-zA-Z0-9_*-]+(?:\/[a-zA-Z0-9_.*-]+)*(?:\/|\.ts|\.json))`/g)].map(
    (match) => match[1] as string,
  );
  expect(names.length).toBeGreaterThan(40);
  const folders = [
    src,
    resolve(src, ".."),
    join(src, "worker/schedule"),
    join(src, "delivery"),
    join(src, "queue/drivers/redis"),
  ];
  const missing = names.filter((name) => {
    if (name.includes("NAME")) return false;
    return folders.every(
      (cwd) => [...new Bun.Glob(name.replace(/\/$/, "")).scanSync({ cwd, onlyFiles: false })].length === 0,
    );
  });
  expect(missing).toEqual([]);
});

test("its glossary has at most 25 words, each once", () => {
  const words = [...text.slice(text.indexOf("## Words")).matchAll(/\*\*([a-z ]+)\*\*/g)].map(
    (match) => match[1],
  );
  expect(words.length).toBeLessThanOrEqual(25);
  expect(new Set(words).size).toBe(words.length);
});
