// Numbers, times and hostile text as people read them.

/** Bytes in binary units: 3 significant digits. */
export function bytes(value) {
  if (value === null || value === undefined) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value >= 100 || unit === 0 ? value.toFixed(0) : value.toFixed(1)} ${units[unit]}`;
}

/** Seconds as the two largest units that matter: 42 s, 3 min 5 s, 2 h 10 min, 4 d 3 h. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 10 && seconds % 1 > 0.05) return `${Math.max(0, seconds).toFixed(1)} s`;
  const whole = Math.max(0, Math.round(seconds));
  const steps = [[86400, "d", 3600, "h"], [3600, "h", 60, "min"], [60, "min", 1, "s"]];
  for (const [size, name, less, lesser] of steps) {
    if (whole < size) continue;
    const rest = Math.floor((whole % size) / less);
    return rest ? `${Math.floor(whole / size)} ${name} ${rest} ${lesser}` : `${Math.floor(whole / size)} ${name}`;
  }
  return `${whole} s`;
}

/** A share in percent with as many digits as mean something. */
export function percent(value) {
  if (value === null || value === undefined) return "–";
  return `${value < 10 ? value.toFixed(1) : value.toFixed(0)} %`;
}

/** A count with thin spaces between thousands. */
export function count(value) {
  if (value === null || value === undefined) return "–";
  return Math.round(value).toString().replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f");
}

const two = (number) => String(number).padStart(2, "0");

/** Local time of day with milliseconds, and the date in front unless it is today. */
export function moment(epoch) {
  const at = new Date(epoch * 1000);
  if (Number.isNaN(at.getTime())) return { time: `${epoch} s`, millis: "", day: "", short: `${epoch} s`, iso: null };
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  const today = new Date().toDateString() === at.toDateString();
  const millis = String(at.getMilliseconds()).padStart(3, "0");
  return { time, millis, day, short: today ? time : `${day} ${time}`, iso: at.toISOString() };
}

// C0 controls but tab and newline, DEL, C1, what has no width, what turns the direction of writing around, half pairs.
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** Text with control characters written out as programmers do: an escape sequence must neither act nor vanish. */
export function visible(text) {
  return String(text).replace(HIDDEN, (character) => {
    const code = character.codePointAt(0).toString(16);
    return code.length <= 2 ? `\\x${code.padStart(2, "0")}` : `\\u${code.padStart(4, "0")}`;
  });
}
