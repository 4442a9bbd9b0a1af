// Bundles the page into the Python package. With --watch, again after each change. With --dev, the page and its fake
// kernel, served with live reload.
import { mkdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, context } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const dev = process.argv.includes("--dev");
const outdir = dev ? join(here, "dev", "out") : join(here, "..", "canvaswidget", "widget", "static");
const limit = 250_000;
const reload = "new EventSource('/esbuild').addEventListener('change', () => location.reload());";

mkdirSync(outdir, { recursive: true });
const options = {
  absWorkingDir: here,
  entryPoints: [
    { in: "src/index.ts", out: "widget" },
    { in: "src/styles/widget.css", out: "widget" },
    { in: "src/page/index.ts", out: "page" },
    ...(dev ? [{ in: "dev/harness.ts", out: "harness" }] : []),
  ],
  outdir,
  bundle: true,
  format: "esm",
  target: ["es2022", "chrome111", "firefox113", "safari16.4"],
  minify: !dev,
  sourcemap: dev ? "inline" : false,
  legalComments: "inline",
  logLevel: "warning",
  banner: dev ? { js: reload } : {},
};
if (dev || process.argv.includes("--watch")) {
  const watching = await context({ ...options, logLevel: "info" });
  await watching.watch();
  if (dev) {
    const { port } = await watching.serve({ servedir: join(here, "dev"), host: "127.0.0.1" });
    console.log(`http://127.0.0.1:${port}/index.html?theme=dark`);
  }
} else {
  await build(options);
  report();
}

function report() {
  for (const name of ["widget.js", "widget.css", "page.js"]) {
    const { size } = statSync(join(outdir, name));
    console.log(`${name}  ${(size / 1000).toFixed(1)} kB`);
    if (!dev && size > limit) throw new Error(`${name} is ${size} bytes: the limit is ${limit}`);
  }
}
