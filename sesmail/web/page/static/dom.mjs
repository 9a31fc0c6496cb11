// Elements made by code. What people wrote is only ever text: nothing here reads markup.

/** An element with attributes, listeners (`onclick` and the like) and children, which are elements or text; null is left out. */
export function el(name, attributes = {}, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
        if (key.startsWith("on")) {
            element.addEventListener(key.slice(2), value);
        } else if (value !== null && value !== undefined && value !== false) {
            element.setAttribute(key, value === true ? "" : value);
        }
    }
    element.append(...children.flat().filter((child) => child !== null && child !== undefined));
    return element;
}

/** A button that does something; `attributes` may have a `class`, and an `aria-label` that begins with the same words. */
export function button(words, onclick, attributes = {}) {
    return el("button", { type: "button", ...attributes, onclick }, words);
}

let last = 0;

/** A new id, for what labels and describes other elements. */
export function newId() {
    last += 1;
    return `n${last}`;
}

/** An address that may break before its @, and anywhere if it must. */
export function address(text) {
    const at = text.lastIndexOf("@");
    return at < 1 ? [text] : [text.slice(0, at), el("wbr"), text.slice(at)];
}

let saying = 0;

/** Have it read by a screen reader, without moving the focus, instead of what was to be read before. */
export function say(words) {
    const said = document.getElementById("said");
    said.textContent = "";
    clearTimeout(saying);
    // The same words said twice are heard twice only if there was nothing in between.
    saying = setTimeout(() => { said.textContent = words; }, 50);
}
