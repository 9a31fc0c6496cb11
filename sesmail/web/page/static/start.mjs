// The page: who is logged in, and which view is shown. The view stands in the address, so that it can be kept and gone back to.

import { aliasesView } from "./aliases.mjs";
import { logOut, readSession } from "./calls.mjs";
import { button, el, say } from "./dom.mjs";
import { destinationsView, domainsView } from "./entries.mjs";
import { loginView } from "./login.mjs";
import { mailboxView } from "./mailbox.mjs";
import { SIGNED_OUT, Trouble, useToken } from "./talk.mjs";

const VIEWS = {
    addresses: { title: "Addresses", draw: aliasesView, when: ({ aliases }) => aliases },
    domains: { title: "Domains", draw: domainsView, when: ({ aliases }) => aliases },
    destinations: { title: "Destinations", draw: destinationsView, when: ({ aliases, admin }) => aliases && admin },
    mailbox: { title: "Mailbox", draw: mailboxView, when: () => true },
};

const content = document.getElementById("content");
const links = document.getElementById("views");
let session = null;

function offered() {
    return Object.entries(VIEWS).filter(([, { when }]) => when(session));
}

function chosen() {
    const name = location.hash.replace(/^#\//, "");
    return offered().find(([key]) => key === name) ?? offered()[0];
}

function show(title, element) {
    document.title = `${title} – sesmail`;
    for (const dialog of document.querySelectorAll("dialog")) {
        dialog.close();
    }
    content.replaceChildren(element);
    say("");
}

function showView() {
    const [name, { title, draw }] = chosen();
    for (const link of links.querySelectorAll("a")) {
        link.toggleAttribute("aria-current", false);
        if (link.hash === `#/${name}`) {
            link.setAttribute("aria-current", "page");
        }
    }
    show(title, draw(session));
}

function enter(found) {
    session = found;
    useToken(session.csrf);
    document.getElementById("who").textContent = session.user;
    document.getElementById("top").hidden = false;
    links.replaceChildren(...offered().map(([name, { title }]) => el("a", { href: `#/${name}` }, title)));
    showView();
}

function leave(why) {
    session = null;
    useToken("");
    document.getElementById("top").hidden = true;
    show("Log in", loginView((found) => {
        enter(found);
        focusHeading();
    }, why));
    content.querySelector("input").focus();
}

function focusHeading() {
    const heading = content.querySelector("h1");
    heading.tabIndex = -1;
    heading.focus();
}

async function begin() {
    try {
        enter(await readSession());
    } catch (error) {
        if (!(error instanceof Trouble)) {
            throw error;
        }
        if (error.status === 401) {
            leave();
        } else {
            show("No answer", el("section", {}, el("p", { class: "note bad", role: "alert" }, error.message), button("Try again", begin)));
        }
    }
}

async function signOut() {
    try {
        await logOut();
        leave("You are logged out.");
    } catch (error) {
        // Whoever leaves must not believe to be logged out when the gateway does not know of it.
        leave(error.status === 401 ? "You are logged out." : `You may still be logged in. ${error.message}`);
    }
}

window.addEventListener("hashchange", () => {
    if (session && location.hash.startsWith("#/")) {
        showView();
        focusHeading();
    }
});
window.addEventListener(SIGNED_OUT, () => session && leave("Your session has ended. Please log in again."));
document.getElementById("leave").addEventListener("click", signOut);
begin();
