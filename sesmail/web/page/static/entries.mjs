// The two short lists that administrators keep: domains and destinations.

import { destinations, domains } from "./calls.mjs";
import { destinationWords } from "./aliasrow.mjs";
import { formButtons, openDialog } from "./dialogs.mjs";
import { address, button, el, say } from "./dom.mjs";
import { field, form, tick } from "./forms.mjs";
import { Row, listOf, segments } from "./rows.mjs";
import { Trouble } from "./talk.mjs";
import { moment, several } from "./words.mjs";

const CHOICES = [["yes", "Active"], ["no", "Inactive"]];

const plain = (attributes) => el("input", { autocapitalize: "none", autocomplete: "off", spellcheck: "false", ...attributes });

const DOMAINS = {
    calls: domains,
    title: "Domains",
    add: "Add domain",
    none: "No domains are registered. Aliases of any domain are delivered.",
    name: (domain) => domain.name,
    about: (domain) => domain.description,
    meaning: (domain) => (domain.active ? "Its addresses work as they are set." : "Mail to any of its addresses is refused."),
    facts: ({ catch_all: all }) => (all ? [["Other addresses", all.length ? `go to ${all.map(destinationWords).join(", ")}` : "are refused"]] : []),
    fields: (domain) => [
        ...(domain.name ? [] : [field("Domain", plain({ name: "name", required: true, maxlength: 253 }))]),
        field("Description", el("input", { name: "description", maxlength: 1000, value: domain.description ?? "" })),
        field("Catch-all", plain({ name: "catch_all", value: (domain.catch_all ?? []).join(", ") }), {
            hint: "Where mail to all other addresses goes, with commas between. Empty: it is refused.",
        }),
    ],
    members: (values, domain) => ({
        ...(domain.name ? {} : { name: values.get("name").trim().toLowerCase() }),
        description: values.get("description").trim(),
        catch_all: several(values.get("catch_all")),
    }),
    again: ({ name, active, description, catch_all }) => ({ name, active, description, catch_all }),
    editable: true,
};

const DESTINATIONS = {
    calls: destinations,
    title: "Destinations",
    add: "Add destination",
    none: "No destinations are registered. Mail goes to whatever an alias names.",
    name: (destination) => destination.address,
    about: () => "",
    meaning: (destination) => (destination.active ? "Mail may go here." : "No mail goes here."),
    facts: (destination) => [["Verified", destination.verified ? "yes" : "no"]],
    fields: () => [
        field("Address", plain({ name: "address", required: true, maxlength: 254 })),
        tick("It is known to belong to who asked for it (verified)", "verified", false),
    ],
    members: (values) => ({ address: values.get("address").trim(), verified: values.has("verified") }),
    again: ({ address: to, active, verified }) => ({ address: to, active, verified }),
    editable: false,
};

/** The view of domains, which are read at once. */
export const domainsView = (session) => entriesView(DOMAINS, session);

/** The view of destinations, which are read at once. */
export const destinationsView = (session) => entriesView(DESTINATIONS, session);

function entriesView(kind, session) {
    const found = el("p", { class: "hint" }, "Looking …");
    const list = listOf(kind.title);
    const first = (entry) => {
        const row = rowOf(kind, entry, session).element;
        row.classList.add("new");
        list.prepend(row);
        found.textContent = "";
        row.querySelector("button").focus();
        say(`Added ${kind.name(entry)}.`);
    };
    const add = () => ask(kind, {}, kind.add, "Add", kind.calls.add, first);
    read(kind, session, list, found);
    const create = session.admin ? button(kind.add, add, { class: "main" }) : null;
    return el("section", {}, el("div", { class: "view-head" }, el("h1", {}, kind.title), create), found, list);
}

async function read(kind, session, list, found) {
    try {
        const entries = await kind.calls.list();
        list.replaceChildren(...entries.map((entry) => rowOf(kind, entry, session).element));
        found.textContent = entries.length ? "" : kind.none;
    } catch (error) {
        if (!(error instanceof Trouble)) {
            throw error;
        }
        found.textContent = error.message;
        say(error.message);
    }
}

function ask(kind, entry, title, words, save, shown = () => {}) {
    openDialog(title, (close) => [
        form([...kind.fields(entry), formButtons(words, close)], async (values) => {
            const saved = await save(kind.members(values, entry));
            close();
            shown(saved);
        }),
    ]);
}

function rowOf(kind, entry, session) {
    const { calls, name, again } = kind;
    return new Row(entry, { calls, name, again, draw: (_, row) => drawn(kind, row, session) });
}

function drawn(kind, row, session) {
    const name = kind.name(row.entry);
    const about = el("p", { class: "about" });
    const meaning = el("p", { class: "meaning" });
    const facts = el("dl", { class: "facts" });
    const { group, press } = segments(name, CHOICES, (value) =>
        row.change({ active: value === "yes" }, (now) => `${name}: ${kind.meaning(now)}`));
    const heading = el("div", {}, el("h2", { class: "address" }, ...address(name)), about, meaning);
    const parts = [
        el("div", { class: "row-head" }, heading, session.admin ? group : null),
        el("details", {}, el("summary", {}, "Details", el("span", { class: "unseen" }, ` of ${name}`)), facts, session.admin ? acts(kind, row) : null),
    ];
    const update = (now) => {
        about.textContent = kind.about(now);
        about.hidden = !kind.about(now);
        meaning.textContent = kind.meaning(now);
        row.element.dataset.state = now.active ? "active" : "inactive";
        press(now.active ? "yes" : "no");
        const told = [...kind.facts(now), ["Added", moment(now.created)], ["Changed", moment(now.modified)]];
        facts.replaceChildren(...told.flatMap(([term, value]) => [el("dt", {}, term), el("dd", {}, value)]));
    };
    return { parts, update };
}

function acts(kind, row) {
    const edit = button("Edit", () => {
        const seen = row.entry;
        ask(kind, seen, `Edit ${kind.name(seen)}`, "Save", (members) => row.save(members, seen));
    });
    return el("div", { class: "row-of-buttons" }, kind.editable ? edit : null, button("Remove", () => row.remove(), { class: "bad" }));
}
