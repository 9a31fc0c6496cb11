// Windows above the page. The browser keeps the focus inside, and gives it back at the end.

import { button, el, newId } from "./dom.mjs";

/** Show a dialog of this title. `content(close)` gives its children; it is gone from the page once it is closed. */
export function openDialog(title, content, attributes = {}) {
    const id = newId();
    const dialog = el("dialog", { "aria-labelledby": id, ...attributes });
    const close = () => dialog.close();
    dialog.append(el("h2", { id }, title), ...content(close));
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
    return dialog;
}

/** The row of buttons at the end of a dialog's form. */
export function formButtons(words, close) {
    return el("div", { class: "row-of-buttons ends" },
        button("Cancel", close, { class: "plain" }),
        el("button", { type: "submit", class: "main" }, words));
}
