// Bundles the page into the Python package. With --watch, again after each change. With --dev, the view on a saved page,
// served with live reload.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, context } from "esbuild";
import { minify } from "terser";

const here = dirname(fileURLToPath(import.meta.url));
const dev = process.argv.includes("--dev");
const outdir = dev ? join(here, "dev", "out") : join(here, "..", "canvaswidget", "static");
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
  legalComments: "none", // `addNotices` writes the licences in full
  metafile: true,
  logLevel: "warning",
  banner: dev ? { js: reload } : {},
};
if (dev || process.argv.includes("--watch")) {
  const watching = await context({ ...options, logLevel: "info" });
  await watching.watch();
  if (dev) {
    // Remove it to have it made again.
    if (!existsSync(join(outdir, "page.html")))
      execFileSync(process.env.PYTHON ?? ".venv/bin/python", ["-m", "tools.development_page"], {
        cwd: join(here, ".."),
        stdio: "inherit",
      });
    const { port } = await watching.serve({ servedir: join(here, "dev"), host: "127.0.0.1" });
    console.log(`http://127.0.0.1:${port}/index.html?theme=dark`);
  }
} else {
  const { metafile } = await build(options);
  await shorten(metafile);
  addNotices(metafile);
  report();
}

/** esbuild leaves what terser takes off another 4 kB of. Reading a signal's value subscribes to it: no getter is dropped. */
async function shorten({ outputs }) {
  for (const path of Object.keys(outputs).filter((name) => name.endsWith(".js"))) {
    const file = join(here, path);
    const compress = { passes: 2, ecma: 2020, pure_getters: false };
    const { code } = await minify(readFileSync(file, "utf8"), { module: true, ecma: 2020, compress });
    writeFileSync(file, code);
  }
}

/** The packages that a file of the bundle has code of: their names, versions and licences. */
function packagesOf(inputs) {
  const folders = new Set();
  for (const [input, { bytesInOutput }] of Object.entries(inputs)) {
    if (bytesInOutput === 0) continue;
    const folder = input.match(/^node_modules\/(?:@[^/]+\/)?[^/]+/)?.[0];
    if (folder) folders.add(folder);
  }
  return [...folders].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(here, folder, "package.json"), "utf8"));
    const file = readdirSync(join(here, folder)).find((one) => /^licen[cs]e/i.test(one));
    if (!file) throw new Error(`${name} has no licence file: its notice must travel with the bundle`);
    return { name, version, license, text: readFileSync(join(here, folder, file), "utf8").trim() };
  });
}

/** The licences ask for it: each file begins with the notices of what is in it, and all are in a file of their own. */
function addNotices({ outputs }) {
  const all = new Map();
  for (const [path, { inputs }] of Object.entries(outputs)) {
    const notices = packagesOf(inputs).map(({ name, version, license, text }) => {
      const notice = `${name} ${version} (${license})\n\n${text}\n`;
      all.set(name, notice);
      return notice;
    });
    if (notices.length === 0) continue;
    const words = `${basename(path)} contains code of these packages:\n\n${notices.join("\n")}`;
    if (words.includes("*/")) throw new Error("a licence ends the comment that it is in");
    const file = join(here, path);
    writeFileSync(file, `/*! ${words}*/\n${readFileSync(file, "utf8")}`);
  }
  const title = "The front end of canvaswidget contains code of these packages:";
  writeFileSync(join(outdir, "THIRD_PARTY_LICENSES.txt"), [title, ...all.values()].join("\n\n"));
}

function report() {
  for (const name of ["widget.js", "widget.css", "page.js"]) {
    const { size } = statSync(join(outdir, name));
    console.log(`${name}  ${(size / 1000).toFixed(1)} kB`);
    if (!dev && size > limit) throw new Error(`${name} is ${size} bytes: the limit is ${limit}`);
  }
}
