// The arrays of a saved page, unpacked when they are first needed; `canvaswidget/exports/packing.py` packs them.

export interface Packed {
  form: "u1" | "u4" | "f4" | "maps" | "colours";
  shape: number[];
  /** How many of the 256 levels of a map are told apart. */
  levels: number;
}

export function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

async function inflate(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Undoes the differences: to the pixel on the left, then to the picture before. In place. */
export function integrate(data: Uint8Array, width: number, picture: number): Uint8Array {
  for (let row = 0; row < data.length; row += width)
    for (let i = row + 1; i < row + width; i++) data[i] = (data[i] ?? 0) + (data[i - 1] ?? 0);
  for (let i = picture; i < data.length; i++) data[i] = (data[i] ?? 0) + (data[i - picture] ?? 0);
  return data;
}

function unpackMaps(data: Uint8Array, { shape, levels }: Packed): Uint8Array {
  const [, height = 1, width = 1] = shape;
  integrate(data, width, height * width);
  if (levels === 256) return data;
  const table = Uint8Array.from({ length: 256 }, (_, level) =>
    Math.min(255, Math.round((level * 255) / (levels - 1))),
  );
  return data.map((level) => table[level] ?? 0);
}

/** From planes, whose red and blue are less green, to pixels of three bytes. */
function unpackColours(data: Uint8Array, { shape }: Packed): Uint8Array {
  const [count = 0, , height = 1, width = 1] = shape;
  const plane = height * width;
  integrate(data, width, 3 * plane);
  const out = new Uint8Array(data.length);
  for (let n = 0; n < count; n++)
    for (let i = 0; i < plane; i++) {
      const at = n * 3 * plane + i;
      const green = data[at + plane] ?? 0;
      const to = (n * plane + i) * 3;
      out[to] = (data[at] ?? 0) + green;
      out[to + 1] = green;
      out[to + 2] = (data[at + 2 * plane] ?? 0) + green;
    }
  return out;
}

export class Arrays {
  #packed: Packed[];
  #texts: (index: number) => string;
  /** All stay once they are unpacked: the file's own budget bounds them. */
  #ready = new Map<number, Promise<Uint8Array>>();

  constructor(packed: Packed[], texts: (index: number) => string) {
    this.#packed = packed;
    this.#texts = texts;
  }

  shape(index: number): number[] {
    return this.#packed[index]?.shape ?? [];
  }

  bytes(index: number): Promise<Uint8Array> {
    const known = this.#ready.get(index);
    if (known) return known;
    const made = this.#unpack(index);
    this.#ready.set(index, made);
    return made;
  }

  async numbers(index: number): Promise<Uint8Array | Uint32Array | Float32Array> {
    const bytes = await this.bytes(index);
    const form = this.#packed[index]?.form;
    if (form === "u4") return new Uint32Array(bytes.buffer);
    if (form === "f4") return new Float32Array(bytes.buffer);
    return bytes;
  }

  async #unpack(index: number): Promise<Uint8Array> {
    const packed = this.#packed[index];
    if (!packed) throw new Error(`The page has no array ${index}`);
    const data = await inflate(bytesOf(this.#texts(index)));
    const size = { u1: 1, u4: 4, f4: 4, maps: 1, colours: 1 }[packed.form];
    const wanted = size * packed.shape.reduce((product, n) => product * n, 1);
    if (data.length !== wanted) throw new Error(`The page is damaged: ${data.length} bytes of ${wanted}`);
    if (packed.form === "maps") return unpackMaps(data, packed);
    return packed.form === "colours" ? unpackColours(data, packed) : data;
  }
}

/** Parts in one row. */
export function joined(parts: Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
