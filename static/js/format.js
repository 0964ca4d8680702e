// Numbers, times and sizes in the page's language.
export const language = document.documentElement.lang || "vi";

const integer = new Intl.NumberFormat(language);
const clockFormat = new Intl.DateTimeFormat(language, {
  hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false,
});

export const count = (value) => integer.format(value);
export const decimal = (value, digits = 2) =>
  new Intl.NumberFormat(language, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
export const percent = (value) => `${integer.format(Math.floor(value))} %`;
export const clock = (iso) => clockFormat.format(new Date(iso));

const unit = (value, name) =>
  new Intl.NumberFormat(language, { style: "unit", unit: name, unitDisplay: "long", maximumFractionDigits: 0 }).format(value);

/** Seconds as people say them: "40 giây", "3 phút", "1 giờ 20 phút". */
export function duration(seconds) {
  if (seconds < 60) return unit(Math.max(1, Math.round(seconds)), "second");
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return unit(minutes, "minute");
  const rest = minutes % 60;
  return unit(Math.floor(minutes / 60), "hour") + (rest ? ` ${unit(rest, "minute")}` : "");
}

/** Bytes as MB or GB. */
export function size(bytes) {
  const [value, name] = bytes >= 1e9 ? [bytes / 1e9, "gigabyte"] : [bytes / 1e6, "megabyte"];
  return new Intl.NumberFormat(language, { style: "unit", unit: name, unitDisplay: "short", maximumFractionDigits: 1 }).format(value);
}
