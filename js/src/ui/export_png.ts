// A PNG of the frame view, made in the page: the picture at a whole scale, the pixel's cross, and what it shows.

export interface ExportPlan {
  canvas: HTMLCanvasElement;
  /** Lines on the picture: an SVG path in its pixels. */
  contours: string;
  pixel: number[] | null;
  title: string;
  caption: string;
  bar: { canvas: HTMLCanvasElement; low: string; high: string } | null;
}

const WIDTH = 1024;
const MARGIN = 16;
const LINES = [
  ["#0008", 3],
  ["#fff", 1],
] as const;
const LINE = 22;

export function fileName({ title, caption }: Pick<ExportPlan, "title" | "caption">): string {
  const name = `${title} ${caption}`
    .replaceAll("→", "-")
    .replace(/[^\w.-]+/g, "_")
    .replace(/^_+|_+$/g, "");
  return `${name.slice(0, 80) || "canvas"}.png`;
}

export async function exportPng(plan: ExportPlan): Promise<string> {
  const sheet = draw(plan);
  const blob = await new Promise<Blob | null>((done) => sheet.toBlob(done, "image/png"));
  if (!blob) throw new Error("The browser made no PNG of this size");
  const name = fileName(plan);
  download(blob, name);
  return name;
}

/** Saves a file where the browser saves its files. */
export function download(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

function draw({ canvas, contours, pixel, title, caption, bar }: ExportPlan): HTMLCanvasElement {
  const scale = Math.max(1, Math.ceil(WIDTH / canvas.width));
  const [width, height] = [canvas.width * scale, canvas.height * scale];
  const sheet = document.createElement("canvas");
  sheet.width = width + 2 * MARGIN;
  sheet.height = height + 2 * MARGIN + 2 * LINE;
  const context = sheet.getContext("2d");
  if (!context) throw new Error("The browser can't draw this picture");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, sheet.width, sheet.height);
  context.imageSmoothingEnabled = false;
  context.drawImage(canvas, MARGIN, MARGIN, width, height);
  context.save();
  context.translate(MARGIN, MARGIN);
  context.scale(scale, scale);
  for (const [style, line] of contours ? LINES : []) {
    context.strokeStyle = style;
    context.lineWidth = line / scale;
    context.stroke(new Path2D(contours));
  }
  context.restore();
  if (pixel) {
    const [y = 0, x = 0] = pixel;
    for (const [style, line] of [
      ["#000", 4],
      ["#fff", 2],
    ] as const) {
      context.strokeStyle = style;
      context.lineWidth = line;
      const side = Math.max(scale, 8);
      const corner = (at: number) => MARGIN + (at + 0.5) * scale - side / 2;
      context.strokeRect(corner(x), corner(y), side, side);
    }
  }
  context.fillStyle = "#222";
  context.font = "16px system-ui, sans-serif";
  context.textBaseline = "middle";
  const line = (n: number) => MARGIN + height + (n + 0.5) * LINE + 4;
  context.fillText(`${title}   ${caption}`, MARGIN, line(0), width);
  if (bar) {
    const [start, length] = [MARGIN + 70, 200];
    context.fillText(bar.low, MARGIN, line(1));
    context.drawImage(bar.canvas, start, line(1) - 6, length, 12);
    context.fillText(bar.high, start + length + 8, line(1));
  }
  return sheet;
}
