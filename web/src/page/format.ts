import { exactly, plain, type Decimal } from "../decimal";

const SHOWN_DECIMALS_MAX = 4;

/** `$1,234.50`; a number too fine to read is shown to four decimals. */
export function money(value: Decimal | string): string {
  const text = shown(value, 2);
  return text.startsWith("-") ? `-$${text.slice(1)}` : `$${text}`;
}

/** Money that came or went: with its sign, whichever it is. */
export function change(value: Decimal | string): string {
  const text = money(value);
  return text.startsWith("-") || /^\$[0.]+$/.test(text) ? text : `+${text}`;
}

/** `1,000`, `0.5` */
export function quantity(value: Decimal | string): string {
  return grouped(plain(typeof value === "string" ? exactly(value) : value));
}

/** A price, or a dash where there is none. */
export function price(value: string | null): string {
  return value === null ? "–" : shown(value, 2);
}

/** Whether a number is above, at or below nothing, for its colour. */
export function tone(value: Decimal | string): "gain" | "loss" | "flat" {
  const { units } = typeof value === "string" ? exactly(value) : value;
  return units > 0n ? "gain" : units < 0n ? "loss" : "flat";
}

const TIME = new Intl.DateTimeFormat(undefined, { timeStyle: "medium", hourCycle: "h23" });
const DATE = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const NEXT_DAY_MS = 24 * 60 * 60 * 1000;

/** The time of day; of an earlier day, the day. */
export function when(timestamp: string, now = Date.now()): string {
  const time = Date.parse(timestamp);
  return now - time < NEXT_DAY_MS ? TIME.format(time) : DATE.format(time);
}

/** The moment to the millisecond, in the reader's time zone. */
export function moment(timestamp: string): string {
  const time = new Date(timestamp);
  const milliseconds = String(time.getMilliseconds()).padStart(3, "0");
  return `${DATE.format(time)}, ${time.toTimeString().slice(0, 8)}.${milliseconds}`;
}

/** `PARTIALLY_FILLED` as people write it: `Partially filled`. */
export function words(name: string): string {
  const text = name.toLowerCase().replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function shown(value: Decimal | string, decimalsMin: number): string {
  return grouped(plain(rounded(typeof value === "string" ? exactly(value) : value), decimalsMin));
}

function rounded(value: Decimal): Decimal {
  if (value.scale <= SHOWN_DECIMALS_MAX) return value;
  const step = 10n ** BigInt(value.scale - SHOWN_DECIMALS_MAX);
  const half = value.units < 0n ? -step / 2n : step / 2n;
  return { units: (value.units + half) / step, scale: SHOWN_DECIMALS_MAX };
}

function grouped(text: string): string {
  const [whole = "", ...decimals] = text.split(".");
  return [whole.replaceAll(/\B(?=(\d{3})+$)/g, ","), ...decimals].join(".");
}
