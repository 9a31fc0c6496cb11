// What the page asks of the gateway: its own endpoints, and the API below api/v1.

import { ask } from "./talk.mjs";

const API = "api/v1";
const MOST = 50;

/** Who is logged in; raises Trouble 401 where nobody is. */
export const readSession = () => ask("GET", "session");

/** Log in. Raises Trouble 401 for a wrong password, 429 after too many. */
export const logIn = (user, password) => ask("POST", "session", { body: { user, password } });

export const logOut = () => ask("DELETE", "session");

export const readMailbox = () => ask("GET", "mailbox");

/** Some aliases and `after`, which asks for the next ones and is null at the end. `state` is one of STATES, or "" for all. */
export function findAliases({ text, state, after, signal }) {
    const query = { q: text, limit: MOST, after, ...(state ? STATES[state] : {}) };
    return ask("GET", `${API}/aliases`, { query, signal });
}

/** The three things that can happen to mail, and the members of an alias that say so. */
export const STATES = {
    active: { active: true, ignore: false },
    ignored: { active: true, ignore: true },
    inactive: { active: false },
};

/** Which of STATES an alias is in. */
export function stateOf(alias) {
    if (!alias.active) {
        return "inactive";
    }
    return alias.ignore ? "ignored" : "active";
}

/** List, read, add, change and remove entries of one kind. A change is one of the entry as it is shown: else Trouble 412. */
function kind(name, key) {
    const all = `${API}/${name}`;
    const one = (entry) => `${all}/${encodeURIComponent(entry[key])}`;
    return {
        list: async () => (await ask("GET", all))[name],
        read: (entry) => ask("GET", one(entry)),
        add: (body) => ask("POST", all, { body }),
        change: (entry, body) => ask("PATCH", one(entry), { body, match: entry.etag }),
        remove: (entry) => ask("DELETE", one(entry), { match: entry.etag }),
    };
}

export const aliases = kind("aliases", "address");
export const domains = kind("domains", "name");
export const destinations = kind("destinations", "address");
