// The bytes that come with an answer.

/** Throws where the kernel sent fewer bytes than the answer describes. */
export function requireBytes(data: Uint8Array, bytes: number): void {
  if (data.length < bytes) throw new Error(`The kernel sent ${data.length} bytes of ${bytes}`);
}
