// Forms: a label, a hint and an error for each field, and what happens between the press of a button and the answer.

import { el, newId, say } from "./dom.mjs";
import { Trouble } from "./talk.mjs";

/** A labelled field around `input`, which needs a name. `beside` stands right of the input. */
export function field(label, input, { hint, beside } = {}) {
    const id = newId();
    const parts = [el("label", { for: id }, label)];
    input.id = id;
    const describedBy = [];
    if (hint) {
        describedBy.push(`${id}-hint`);
        parts.push(el("p", { class: "hint", id: `${id}-hint` }, hint));
    }
    describedBy.push(`${id}-error`);
    input.setAttribute("aria-describedby", describedBy.join(" "));
    parts.push(beside ? el("div", { class: "beside" }, input, beside) : input);
    parts.push(el("p", { class: "field-error", id: `${id}-error` }));
    return el("div", { class: "field" }, ...parts);
}

/** A field to be ticked. */
export function tick(label, name, ticked) {
    const input = el("input", { type: "checkbox", name, checked: ticked });
    return el("label", { class: "tick" }, input, el("span", {}, label));
}

/** A form whose `submit(values)` may raise Trouble: its words are shown beside the fields, or above them. */
export function form(children, submit) {
    const trouble = el("p", { class: "note bad", role: "alert", hidden: true });
    const made = el("form", { novalidate: true }, trouble, ...children);
    made.addEventListener("submit", async (event) => {
        event.preventDefault();
        clear(made, trouble);
        if (!made.matches("[aria-busy=true]") && complete(made)) {
            await guarded(made, trouble, submit);
        }
    });
    return made;
}

async function guarded(made, trouble, submit) {
    made.setAttribute("aria-busy", "true");
    try {
        await submit(new FormData(made));
    } catch (error) {
        show(made, trouble, error);
    } finally {
        made.removeAttribute("aria-busy");
    }
}

function complete(made) {
    const empty = [...made.elements].filter((input) => input.required && input.value.trim() === "");
    empty.forEach((input) => mark(input, "Please fill this in."));
    empty[0]?.focus();
    return empty.length === 0;
}

function mark(input, words) {
    input.setAttribute("aria-invalid", "true");
    document.getElementById(`${input.id}-error`).textContent = words;
}

function clear(made, trouble) {
    trouble.hidden = true;
    trouble.textContent = "";
    for (const input of made.querySelectorAll("[aria-invalid]")) {
        input.removeAttribute("aria-invalid");
        document.getElementById(`${input.id}-error`).textContent = "";
    }
}

function show(made, trouble, error) {
    if (!(error instanceof Trouble)) {
        throw error;
    }
    const marked = Object.entries(error.fields).filter(([name]) => made.elements[name]?.id);
    marked.forEach(([name, words]) => mark(made.elements[name], words));
    if (marked.length) {
        made.elements[marked[0][0]].focus();
        say(marked[0][1]);
    } else {
        trouble.textContent = error.message;
        trouble.hidden = false;
    }
}
