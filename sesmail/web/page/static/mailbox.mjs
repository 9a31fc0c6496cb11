// The view of one's own mailbox: how much lies there, and what a mail program wants to know.

import { readMailbox } from "./calls.mjs";
import { copyButton } from "./copying.mjs";
import { button, el, say } from "./dom.mjs";
import { Trouble } from "./talk.mjs";
import { counted, size } from "./words.mjs";

const TITLES = { POP3: "Incoming mail", SMTP: "Outgoing mail" };
const ENCRYPTION = { implicit: "SSL/TLS", starttls: "STARTTLS", none: "none" };
// The safest first: that is the one to be recommended.
const ORDER = Object.keys(ENCRYPTION);

/** The view, which reads the mailbox at once. */
export function mailboxView(session) {
    const figures = el("div", { class: "figures" });
    const told = el("p", { class: "hint" }, "Looking …");
    const settings = el("div", {});
    const look = () => read({ figures, told, settings }, session);
    look();
    return el("section", {}, el("div", { class: "view-head" }, el("h1", {}, "My mailbox"), button("Look again", look)), told, figures, settings);
}

async function read({ figures, told, settings }, session) {
    try {
        const mailbox = await readMailbox();
        const [messages, octets] = [counted(mailbox.messages, "message"), size(mailbox.octets)];
        figures.replaceChildren(figure(messages, "waiting for your mail program"), figure(octets, "in all"));
        told.textContent = "";
        settings.replaceChildren(...settingsOf(mailbox.settings, session));
        say(`${messages}, ${octets}.`);
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

function settingsOf(ways, session) {
    const cards = Object.keys(TITLES)
        .map((protocol) => ways.filter((way) => way.protocol === protocol).sort(bySafety))
        .filter((found) => found.length)
        .map(([best, ...others]) => card(best, others, session));
    return cards.length ? [el("h2", {}, "Settings for your mail program"), ...cards] : [];
}

const bySafety = (one, other) => ORDER.indexOf(one.tls) - ORDER.indexOf(other.tls);

function card(best, others, session) {
    const title = TITLES[best.protocol];
    const values = [
        ["Protocol", best.protocol],
        ["Server", best.host ?? location.hostname],
        ["Port", String(best.port)],
        ["Encryption", ENCRYPTION[best.tls]],
        ["User name", session.user],
    ];
    return el("div", { class: "card" },
        el("h3", {}, title),
        el("dl", { class: "settings" }, ...values.map(([name, value]) => setting(title, name, value))),
        el("p", { class: "hint" }, "The password is the one you logged in with.", ...others.map(another)));
}

function setting(title, name, value) {
    const copy = copyButton(() => value, `${title}: ${name}`, { class: "small" });
    return el("div", { class: "setting" }, el("dt", {}, name), el("dd", {}, el("span", { class: "address" }, value), copy));
}

function another({ port, tls }) {
    return ` Another way is port ${port} with encryption ${ENCRYPTION[tls]}.`;
}
