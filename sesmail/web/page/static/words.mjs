// Numbers, sizes and times as people read them, in their own language's way.

const COUNT = new Intl.NumberFormat();
const MOMENT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];

/** `1 message`, `1,200 messages`. */
export function counted(number, one, many = `${one}s`) {
    return `${COUNT.format(number)} ${number === 1 ? one : many}`;
}

/** Octets in the largest unit that leaves at least 1. */
export function size(octets) {
    let unit = 0;
    let left = octets;
    while (left >= 1000 && unit < UNITS.length - 1) {
        left /= 1000;
        unit += 1;
    }
    const style = { style: "unit", unit: UNITS[unit], unitDisplay: unit ? "short" : "long" };
    return new Intl.NumberFormat(undefined, { ...style, maximumFractionDigits: left < 10 && unit ? 1 : 0 }).format(left);
}

/** A time of RFC 3339 as a day and a time of day here. */
export function moment(time) {
    return time ? MOMENT.format(new Date(time)) : "unknown";
}

/** What people type where several things fit, one after the other: split at commas, blanks and lines. */
export function several(text) {
    return text.split(/[\s,;]+/).filter((word) => word !== "");
}
