// One row of a list: it shows an entry, changes it, and can be removed and brought back in its place.

import { button, el, newId, say } from "./dom.mjs";
import { Trouble } from "./talk.mjs";

/** A list of rows. */
export function listOf(label) {
    return el("ul", { class: "rows", "aria-label": label });
}

/** Buttons of which one is pressed. `choices` is `[[value, words], ...]`; `choose(value)` is called for another one. */
export function segments(label, choices, choose) {
    const buttons = choices.map(([value, words]) => {
        const made = button(words, () => made.getAttribute("aria-pressed") === "true" || choose(value), { "data-value": value });
        return made;
    });
    const group = el("div", { class: "segments", role: "group", "aria-label": label }, ...buttons);
    const press = (value) => buttons.forEach((one) => one.setAttribute("aria-pressed", String(one.dataset.value === value)));
    return { group, press };
}

/**
 * A row. `entry` is what it shows, `calls` the kind's add, read, change and remove, `name(entry)` what it is called, `draw(entry, row)`
 * gives `{parts, update}`: its elements, and what shows another state of the entry in them, so that the focus stays.
 */
export class Row {
    constructor(entry, { calls, name, draw, again }) {
        Object.assign(this, { entry, calls, name, again });
        this.trouble = el("p", { class: "note bad", role: "alert", hidden: true });
        this.body = el("div", { class: "row-body" });
        this.element = el("li", { class: "row" }, this.body, this.trouble);
        const { parts, update } = draw(entry, this);
        this.body.append(...parts);
        this.update = update;
        update(entry);
    }

    /** Show what the gateway now has. */
    show(entry) {
        this.entry = entry;
        this.update(entry);
    }

    /** Change members of the entry and say `words(entry)`. Errors are shown in the row. */
    change(members, words) {
        return this.attempt(async () => {
            this.show(await this.calls.change(this.entry, members));
            say(words(this.entry));
        });
    }

    /** Change what differs from the entry as it was `seen`. Raises Trouble; what somebody else has changed is then shown. */
    async save(members, seen) {
        const differs = ([name, value]) => JSON.stringify(value) !== JSON.stringify(seen[name]);
        const changed = Object.fromEntries(Object.entries(members).filter(differs));
        try {
            this.show(Object.keys(changed).length ? await this.calls.change(this.entry, changed) : this.entry);
        } catch (error) {
            await this.catchUp(error);
            throw error;
        }
        say(`Saved ${this.name(this.entry)}.`);
    }

    /** Remove it; in its place stays a way back. */
    remove() {
        return this.attempt(async () => {
            await this.calls.remove(this.entry);
            this.leaveWayBack();
        });
    }

    leaveWayBack() {
        const id = newId();
        const undo = button("Undo", () => this.attempt(() => this.restore()), { "aria-describedby": id });
        this.element.classList.add("gone");
        this.gone = el("div", { class: "way-back" }, el("p", { id }, `Removed ${this.name(this.entry)}.`), undo);
        this.body.replaceWith(this.gone);
        undo.focus();
        say(`Removed ${this.name(this.entry)}.`);
    }

    async restore() {
        this.show(await this.calls.add(this.again(this.entry)));
        this.element.classList.remove("gone");
        this.gone.replaceWith(this.body);
        this.body.querySelector("button")?.focus();
        say(`${this.name(this.entry)} is back.`);
    }

    async attempt(act) {
        if (this.element.getAttribute("aria-busy") === "true") {
            return;
        }
        this.trouble.hidden = true;
        this.element.setAttribute("aria-busy", "true");
        try {
            await act();
        } catch (error) {
            await this.tell(error);
        } finally {
            this.element.removeAttribute("aria-busy");
        }
    }

    async tell(error) {
        if (!(error instanceof Trouble)) {
            throw error;
        }
        this.trouble.textContent = error.message;
        this.trouble.hidden = false;
        await this.catchUp(error);
    }

    async catchUp(error) {
        if (error.status === 412) {
            this.show(await this.calls.read(this.entry).catch(() => this.entry));
        }
    }
}
