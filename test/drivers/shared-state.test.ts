import { createSharedStore } from "../support/shared-state.ts";
import { claimSharedState } from "./shared-state-claims.ts";

// What the worker's tests stand on must keep the promises that the drivers keep.
claimSharedState("the tests' own model", () => {
  const store = createSharedStore();
  return () => {
    const shared = store.connect();
    return {
      shared,
      async open() {
        shared.open();
        await Promise.resolve();
      },
      async close() {
        shared.close();
        await Promise.resolve();
      },
    };
  };
});
