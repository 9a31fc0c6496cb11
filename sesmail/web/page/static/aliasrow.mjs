// One alias in the list: what happens to its mail, and all that can be done with it.

import { STATES, aliases, stateOf } from "./calls.mjs";
import { copyButton } from "./copying.mjs";
import { openDialog } from "./dialogs.mjs";
import { address, button, el } from "./dom.mjs";
import { editAlias } from "./aliasform.mjs";
import { Row, segments } from "./rows.mjs";
import { counted, moment } from "./words.mjs";

const CHOICES = [["active", "Active"], ["ignored", "Ignored"], ["inactive", "Inactive"]];

const MEANING = {
    active: "Mail is delivered.",
    ignored: "Mail is taken and thrown away.",
    inactive: "Mail is refused.",
};

/** The row of an alias. `session` says who looks at it. */
export function aliasRow(alias, session) {
    return new Row(alias, {
        calls: aliases,
        name: (one) => one.address,
        again: ({ local, domain, destinations, active, ignore, owner, description }) =>
            ({ local, domain, destinations, active, ignore, description, ...(session.admin ? { owner } : {}) }),
        draw: (_, row) => drawn(row, session),
    });
}

function drawn(row, session) {
    const heading = el("h2", { class: "address" });
    const about = el("p", { class: "about" });
    const meaning = el("p", { class: "meaning" });
    const facts = el("dl", { class: "facts" });
    const ofWhom = el("span", { class: "unseen" });
    const copy = copyButton(() => row.entry.address, row.entry.address, { class: "small" });
    const { group, press } = segments("", CHOICES, (state) =>
        row.change(STATES[state], (now) => `${now.address}: ${MEANING[stateOf(now)]}`));
    const parts = [
        el("div", { class: "row-head" }, el("div", {}, el("div", { class: "named" }, heading, copy), about, meaning), group),
        el("details", {}, el("summary", {}, "Details", ofWhom), facts, acts(row, session)),
    ];
    const update = (alias) => {
        heading.replaceChildren(...address(alias.address));
        about.textContent = alias.description;
        about.hidden = !alias.description;
        meaning.textContent = `${MEANING[stateOf(alias)]} ${used(alias)}`;
        facts.replaceChildren(...factsOf(alias, session));
        ofWhom.textContent = ` of ${alias.address}`;
        copy.setAttribute("aria-label", `Copy ${alias.address}`);
        group.setAttribute("aria-label", `Mail to ${alias.address}`);
        row.element.dataset.state = stateOf(alias);
        press(stateOf(alias));
    };
    return { parts, update };
}

function used(alias) {
    return alias.use_count ? `Used for ${counted(alias.use_count, "message")}.` : "Not used yet.";
}

function acts(row, session) {
    return el("div", { class: "row-of-buttons" },
        button("Show large", () => showLarge(row.entry)),
        button("Rename or edit", () => editAlias(row, session)),
        button("Remove", () => row.remove(), { class: "bad" }));
}

function factsOf(alias, session) {
    const facts = [
        ["Goes to", alias.destinations.map((one) => destinationWords(one)).join(", ")],
        ["Made", moment(alias.created)],
        ["Changed", moment(alias.modified)],
        ...(session.admin ? [["Belongs to", alias.owner || "administrators"]] : []),
    ];
    return facts.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]);
}

/** A destination in words: one that is no address is the mailbox of the configuration. */
export function destinationWords(destination) {
    return destination === "S3" ? "the mailbox (S3)" : destination;
}

function showLarge(alias) {
    const dialog = openDialog(alias.address, (close) => [
        el("div", { class: "row-of-buttons ends" },
            copyButton(() => alias.address, alias.address, { class: "main" }),
            button("Close", close)),
    ], { class: "large" });
    dialog.style.setProperty("--letters", String(Math.max(alias.address.length, 8)));
    dialog.querySelector("h2").replaceChildren(...address(alias.address));
}
