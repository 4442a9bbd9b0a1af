// The bytes that come with an answer.

/** Throws where the kernel sent fewer bytes than the answer describes. */
export function requireBytes(data: Uint8Array, bytes: number): void {
  if (data.length < bytes) throw new Error(`The kernel sent ${data.length} bytes of ${bytes}`);
}

/** A copy of the bytes a view names: the buffer behind it may hold a whole message, padding and all. */
export function own(view: DataView | undefined): Uint8Array {
  if (view === undefined) return new Uint8Array(0);
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice();
}
