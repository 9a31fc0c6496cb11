// The view of aliases: found as one types, page by page, a new one first.

import { newAlias } from "./aliasform.mjs";
import { aliasRow } from "./aliasrow.mjs";
import { findAliases } from "./calls.mjs";
import { button, el, newId, say } from "./dom.mjs";
import { listOf } from "./rows.mjs";
import { Trouble } from "./talk.mjs";
import { counted } from "./words.mjs";

// Milliseconds after the last key before the gateway is asked.
const PAUSE = 250;

/** The view, which reads its first page at once. */
export function aliasesView(session) {
    const search = searchForm();
    const finder = new Finder(search, session);
    const create = button("New address", () => newAlias(session, (alias) => finder.first(alias)), { class: "main" });
    search.element.addEventListener("input", () => finder.soon());
    finder.begin();
    return el("section", {},
        el("div", { class: "view-head" }, el("h1", {}, "Addresses"), create),
        search.element,
        ...finder.elements);
}

function searchForm() {
    const text = el("input", { type: "search", id: newId(), name: "q", autocomplete: "off", autocapitalize: "none", spellcheck: "false" });
    const states = [["", "All"], ["active", "Active"], ["ignored", "Ignored"], ["inactive", "Inactive"]];
    const state = el("select", { id: newId(), name: "state" }, ...states.map(([value, words]) => el("option", { value }, words)));
    const element = el("form", { role: "search", class: "search", onsubmit: (event) => event.preventDefault() },
        el("div", { class: "field" }, el("label", { for: text.id }, "Search"), text),
        el("div", { class: "field" }, el("label", { for: state.id }, "Show"), state));
    // Not every browser and driver tells of a choice as input.
    state.addEventListener("change", () => element.dispatchEvent(new Event("input")));
    return { element, query: () => ({ text: text.value.trim().toLowerCase(), state: state.value }) };
}

/** Asks for what is searched, and forgets an answer that is no longer wanted. */
class Finder {
    constructor(search, session) {
        this.search = search;
        this.session = session;
        this.after = null;
        this.asking = new AbortController();
        this.found = el("p", { class: "hint" }, "Looking …");
        this.trouble = el("p", { class: "note bad", role: "alert", hidden: true });
        this.list = listOf("Addresses");
        this.next = button("Show more", () => this.read(this.after), { class: "wide", hidden: true });
    }

    get elements() {
        return [this.found, this.trouble, this.list, this.next];
    }

    begin() {
        return this.read(null);
    }

    soon() {
        this.only();
        clearTimeout(this.timer);
        this.timer = setTimeout(() => this.begin(), PAUSE);
    }

    /** Show a new alias on top, whatever is searched. */
    first(alias) {
        const row = aliasRow(alias, this.session).element;
        row.classList.add("new");
        this.list.prepend(row);
        row.querySelector("button").focus();
        this.found.textContent = this.summary();
        say(`Created ${alias.address}.`);
    }

    /** What is under way is no longer wanted; what comes next is. */
    only() {
        this.asking.abort();
        this.asking = new AbortController();
        this.list.setAttribute("aria-busy", "true");
        return this.asking;
    }

    async read(after) {
        const asking = this.only();
        this.trouble.hidden = true;
        try {
            this.show(await this.page(after, asking.signal), after !== null);
        } catch (error) {
            this.tell(error);
        } finally {
            if (this.asking === asking) {
                this.list.removeAttribute("aria-busy");
            }
        }
    }

    /** The next page that has anything in it, or the last one. */
    async page(after, signal) {
        const query = this.search.query();
        let page = await findAliases({ ...query, after, signal });
        while (page.aliases.length === 0 && page.after !== null) {
            page = await findAliases({ ...query, after: page.after, signal });
        }
        return page;
    }

    show({ aliases, after }, further) {
        const rows = aliases.map((alias) => aliasRow(alias, this.session).element);
        if (further) {
            this.list.append(...rows);
            rows[0]?.querySelector("button").focus();
        } else {
            this.list.replaceChildren(...rows);
        }
        this.after = after;
        this.next.hidden = after === null;
        this.found.textContent = this.summary();
        say(this.found.textContent);
    }

    summary() {
        const number = this.list.children.length;
        const { text, state } = this.search.query();
        if (number) {
            return `${counted(number, "address", "addresses")}${this.after === null ? "" : " so far"}.`;
        }
        return text || state ? "Nothing found." : "No addresses yet. Make one for each shop or list, and you can stop any of them alone.";
    }

    tell(error) {
        if (error.name === "AbortError") {
            return;
        }
        if (!(error instanceof Trouble)) {
            throw error;
        }
        this.found.textContent = "";
        this.trouble.textContent = error.message;
        this.trouble.hidden = false;
    }
}
