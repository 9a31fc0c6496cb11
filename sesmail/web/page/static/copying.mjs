// Copying to the clipboard, also where a plain HTTP address keeps the modern way from us.

import { button, el, say } from "./dom.mjs";

const SHOWN = 2_000;

/** A button that copies what `text` gives, and says so; `named` is what a screen reader hears after "Copy". */
export function copyButton(text, named, attributes = {}) {
    const words = el("span", {}, "Copy");
    const copy = button(words, async () => {
        const done = await copied(text(), copy);
        words.textContent = done ? "Copied" : "Not copied";
        say(done ? `Copied ${text()}` : "This browser does not let the page copy. Select the text and copy it yourself.");
        setTimeout(() => { words.textContent = "Copy"; }, SHOWN);
    }, { "aria-label": `Copy ${named}`, ...attributes });
    return copy;
}

async function copied(text, near) {
    try {
        await navigator.clipboard.writeText(text);
        return true;
    } catch {
        return copiedBySelection(text, near);
    }
}

function copiedBySelection(text, near) {
    const area = el("textarea", { class: "unseen", tabindex: "-1", "aria-hidden": "true" });
    area.value = text;
    // Beside the button: what is outside an open dialog cannot be selected.
    near.after(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    near.focus();
    return done;
}
