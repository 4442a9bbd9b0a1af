// Numbers as people read them: three significant digits, a real minus sign, groups of thousands.

export function number(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e4 && size < 1e7) return count(Math.round(value)).replace("-", "−");
  const text = size >= 1e7 || size < 1e-3 ? value.toExponential(1).replace("e+", "e") : value.toPrecision(3);
  return (text.includes("e") && size < 1e7 && size >= 1e-3 ? String(Math.round(value)) : text).replaceAll(
    "-",
    "−",
  );
}

export function count(value: number): string {
  return value.toLocaleString("en-US");
}

export function percent(share: number): string {
  const value = share * 100;
  return `${value >= 9.95 ? value.toFixed(0) : value.toFixed(1)} %`;
}

/** What is added to an estimated number, whose 95 % interval is so wide: nothing where it is exact. */
export function plusMinus(halfWidth: number): string {
  return halfWidth > 0 ? ` ± ${percent(halfWidth)}` : "";
}

export function seconds(value: number): string {
  if (value < 0.9995) return `${Math.max(1, Math.round(value * 1000))} ms`;
  return value < 10 ? `${value.toFixed(1)} s` : `${Math.round(value)} s`;
}
