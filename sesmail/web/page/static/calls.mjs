// What the page asks of the gateway: its own endpoints, and the API below api/v1.

import { Trouble, ask } from "./talk.mjs";

const API = "api/v1";
const MOST = 50;

/** Who is logged in; raises Trouble 401 where nobody is. */
export const readSession = async () => (await ask("GET", "session")).data;

/** Log in. Raises Trouble 401 for a wrong password, 429 after too many. */
export const logIn = async (user, password) => (await ask("POST", "session", { body: { user, password } })).data;

export const logOut = () => ask("DELETE", "session");

export const readMailbox = async () => (await ask("GET", "mailbox")).data;

/** Some aliases and `after`, which asks for the next ones and is null at the end. `state` is one of STATES, or "" for all. */
export async function findAliases({ text, state, after, signal }) {
    const query = { q: text, limit: MOST, after, ...(state ? STATES[state] : {}) };
    return (await ask("GET", `${API}/aliases`, { query, signal })).data;
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

// What the gateway called the version of an entry; lists do not say it.
const etags = new WeakMap();

function noted({ data, etag }) {
    if (etag) {
        etags.set(data, etag);
    }
    return data;
}

/** The version of what is shown: asked for where it is not known, but a change that nobody has seen yet is not passed over. */
async function versionOf(path, entry) {
    if (!etags.has(entry)) {
        const { data, etag } = await ask("GET", path);
        if (!same(data, entry)) {
            throw new Trouble(412);
        }
        etags.set(entry, etag);
    }
    return etags.get(entry);
}

function same(one, other) {
    return Object.keys(one).every((key) => key === "use_count" || JSON.stringify(one[key]) === JSON.stringify(other[key]));
}

/** List, read, add, change and remove entries of one kind. A change is one of the entry as it is shown: else Trouble 412. */
function kind(name, key) {
    const all = `${API}/${name}`;
    const one = (entry) => `${all}/${encodeURIComponent(entry[key])}`;
    return {
        list: async () => (await ask("GET", all)).data[name],
        read: async (entry) => noted(await ask("GET", one(entry))),
        add: async (body) => noted(await ask("POST", all, { body })),
        change: async (entry, body) => noted(await ask("PATCH", one(entry), { body, match: await versionOf(one(entry), entry) })),
        remove: async (entry) => ask("DELETE", one(entry), { match: await versionOf(one(entry), entry) }),
    };
}

export const aliases = kind("aliases", "address");
export const domains = kind("domains", "name");
export const destinations = kind("destinations", "address");
