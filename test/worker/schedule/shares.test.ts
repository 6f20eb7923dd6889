import { expect, test } from "bun:test";
import { bench, labels } from "./bench.ts";

test("an endpoint whose gate closed and opened counts once in the shares, however often", async () => {
  const one = bench({ concurrency: 4 });
  for (let round = 0; round < 5; round += 1) {
    one.add("a");
    one.gates.get("a")?.set("closed");
    expect(one.parked.splice(0)).toHaveLength(1);
    one.gates.get("a")?.set("open");
    // It comes back from the backend, which has nothing else.
    const call = one.scheduler.prefetch.next();
    one.add("a");
    if (call !== null) one.scheduler.prefetch.brought(1, call);
    for (const grant of await one.takeAll()) grant.end(null);
  }
  for (const label of ["a", "a", "a", "a", "b"]) one.add(label);
  expect(labels(await one.takeAll()).sort()).toEqual(["a", "a", "b"]);
});
