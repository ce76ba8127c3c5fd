/** An exact decimal number: `units` times ten to the power of minus `scale`. Prices and quantities are never floats. */
export interface Decimal {
  readonly units: bigint;
  readonly scale: number;
}

const NUMBER = /^([+-]?)(\d*)(?:\.(\d*))?$/;

export const ZERO: Decimal = { units: 0n, scale: 0 };

/** The number that the text is, null when it is none: plain notation only, as people and the API write it. */
export function decimal(text: string): Decimal | null {
  const match = NUMBER.exec(text.trim());
  const [, sign = "", whole = "", decimals = ""] = match ?? [];
  if (!match || whole + decimals === "") return null;
  const units = BigInt(whole + decimals);
  return { units: sign === "-" ? -units : units, scale: decimals.length };
}

/** The number that the API said, which is always one. */
export function exactly(text: string): Decimal {
  const value = decimal(text);
  if (value === null) throw new TypeError(`not a decimal number: ${text}`);
  return value;
}

export function add(left: Decimal, right: Decimal): Decimal {
  const scale = Math.max(left.scale, right.scale);
  return { units: unitsAt(left, scale) + unitsAt(right, scale), scale };
}

export function subtract(left: Decimal, right: Decimal): Decimal {
  return add(left, { units: -right.units, scale: right.scale });
}

export function multiply(left: Decimal, right: Decimal): Decimal {
  return { units: left.units * right.units, scale: left.scale + right.scale };
}

/** Below 0, 0 or above 0, as the left number is less than, equal to or greater than the right one. */
export function compare(left: Decimal, right: Decimal): number {
  const { units } = subtract(left, right);
  return units < 0n ? -1 : Number(units > 0n);
}

/** Whether the number is so many steps. */
export function isMultiple(value: Decimal, step: Decimal): boolean {
  const scale = Math.max(value.scale, step.scale);
  return unitsAt(value, scale) % unitsAt(step, scale) === 0n;
}

/** How many decimals the number needs. */
export function decimalsOf(value: Decimal): number {
  return tidy(value).scale;
}

/** Upwards to so many decimals: what something costs at most. */
export function roundUp(value: Decimal, scale: number): Decimal {
  if (value.scale <= scale) return value;
  const step = 10n ** BigInt(value.scale - scale);
  const units = value.units / step;
  return { units: value.units % step > 0n ? units + 1n : units, scale };
}

/** A share in whole percent, rounded down, from 0 to 100: for the length of a bar, not for arithmetic. */
export function percentOf(part: Decimal, whole: Decimal): number {
  const scale = Math.max(part.scale, whole.scale);
  const total = unitsAt(whole, scale);
  if (total <= 0n) return 0;
  const percent = (unitsAt(part, scale) * 100n) / total;
  return Number(percent < 0n ? 0n : percent > 100n ? 100n : percent);
}

/** The number in plain notation with at least so many decimals. */
export function plain(value: Decimal, decimalsMin = 0): string {
  const { units, scale } = tidy(value);
  const digits = (units < 0n ? -units : units).toString().padStart(scale + 1, "0");
  const whole = digits.slice(0, digits.length - scale);
  const decimals = digits.slice(digits.length - scale).padEnd(decimalsMin, "0");
  return `${units < 0n ? "-" : ""}${whole}${decimals && `.${decimals}`}`;
}

function unitsAt(value: Decimal, scale: number): bigint {
  return value.units * 10n ** BigInt(scale - value.scale);
}

function tidy(value: Decimal): Decimal {
  let { units, scale } = value;
  while (scale > 0 && units % 10n === 0n) {
    units /= 10n;
    scale -= 1;
  }
  return { units, scale };
}
