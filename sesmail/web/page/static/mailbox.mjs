// The view of one's own mailbox: how much lies there, and what a mail program wants to know.

import { readMailbox } from "./calls.mjs";
import { copyButton } from "./copying.mjs";
import { button, el, say } from "./dom.mjs";
import { Trouble } from "./talk.mjs";
import { counted, size } from "./words.mjs";

/** The view, which reads the mailbox at once. */
export function mailboxView() {
    const figures = el("div", { class: "figures" });
    const told = el("p", { class: "hint" }, "Looking …");
    const settings = el("div", {});
    const again = button("Look again", () => read(figures, told, settings));
    read(figures, told, settings);
    return el("section", {}, el("div", { class: "view-head" }, el("h1", {}, "My mailbox"), again), told, figures, settings);
}

async function read(figures, told, settings) {
    try {
        const mailbox = await readMailbox();
        figures.replaceChildren(
            figure(counted(mailbox.messages, "message"), "waiting for your mail program"),
            figure(size(mailbox.octets), "in all"));
        told.textContent = "";
        settings.replaceChildren(...settingsOf(mailbox.settings ?? []));
        say(`${counted(mailbox.messages, "message")}, ${size(mailbox.octets)}.`);
    } catch (error) {
        if (!(error instanceof Trouble)) {
            throw error;
        }
        told.textContent = error.message;
        say(error.message);
    }
}

function figure(number, words) {
    return el("p", { class: "figure" }, el("strong", {}, number), " ", el("span", {}, words));
}

function settingsOf(groups) {
    return groups.length ? [el("h2", {}, "Settings for your mail program"), ...groups.map(settingsGroup)] : [];
}

function settingsGroup({ title, values }) {
    const rows = values.map(([name, value]) => el("div", { class: "setting" },
        el("dt", {}, name),
        el("dd", {}, el("span", { class: "address" }, value), copyButton(() => value, `${title}: ${name}`))));
    return el("div", { class: "card" }, el("h3", {}, title), el("dl", { class: "settings" }, ...rows));
}
