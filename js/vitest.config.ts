import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    environment: "happy-dom",
    include: ["test/**/*.test.ts"],
    setupFiles: ["test/setup.ts"],
    restoreMocks: true,
    // A test ends by itself; on a busy machine it may take long.
    testTimeout: 60_000,
    // One page for all files of a worker: making pages takes longer than the tests.
    pool: "threads",
    isolate: false,
  },
});
