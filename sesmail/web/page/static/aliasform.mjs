// The form of an alias, for a new one and for one that is changed or renamed.

import { aliases, destinations, domains } from "./calls.mjs";
import { formButtons, openDialog } from "./dialogs.mjs";
import { button, el, newId, say } from "./dom.mjs";
import { field, form } from "./forms.mjs";
import { suggestion } from "./random.mjs";
import { Trouble } from "./talk.mjs";
import { several } from "./words.mjs";

/** Ask for a new alias; `made(alias)` is called with it. */
export async function newAlias(session, made) {
    const choice = await choices(session);
    if (choice === null) {
        return;
    }
    openDialog("New address", (close) => [
        form([...fields(blank(session), choice, session), formButtons("Create", close)], async (values) => {
            const alias = await aliases.add(members(values, session));
            close();
            made(alias);
        }),
    ]);
}

/** Ask for changes to the alias of a row, and show them there. */
export async function editAlias(row, session) {
    const choice = await choices(session);
    if (choice === null) {
        return;
    }
    const seen = row.entry;
    openDialog(`Edit ${seen.address}`, (close) => [
        el("p", { class: "hint" }, "Under a new name it keeps all else; mail to the old name no longer arrives."),
        form([...fields(seen, choice, session), formButtons("Save", close)], async (values) => {
            await row.save(members(values, session), seen);
            close();
        }),
    ]);
}

function blank({ user, address }) {
    return address ? { owner: user, destinations: [address], domain: address.slice(address.lastIndexOf("@") + 1) } : { owner: user };
}

/** What can be chosen from. Without it the form still works: names are typed. Null when the session has ended. */
async function choices(session) {
    try {
        const [inDomains, known] = await Promise.all([
            domains.list().catch(orNone),
            session.admin ? destinations.list().catch(orNone) : [],
        ]);
        return { domains: inDomains.filter((one) => one.active).map((one) => one.name), known: known.filter((one) => one.active) };
    } catch (error) {
        if (error.status === 401) {
            return null;
        }
        throw error;
    }
}

function orNone(error) {
    if (error instanceof Trouble && error.status !== 401) {
        return [];
    }
    throw error;
}

function fields(alias, choice, session) {
    return [
        localField(alias),
        domainField(alias, choice.domains),
        field("Description", el("input", { name: "description", maxlength: 1000, value: alias.description ?? "" }), {
            hint: "For yourself, such as who you give it to.",
        }),
        ...(session.admin ? [destinationField(alias, choice.known), ownerField(alias)] : []),
    ];
}

function localField(alias) {
    const input = el("input", {
        name: "local", required: true, maxlength: 64, value: alias.local ?? "",
        autocapitalize: "none", autocomplete: "off", spellcheck: "false",
    });
    const randomize = button("Randomize", () => {
        input.value = suggestion(input.value.trim().toLowerCase());
        say(input.value);
    });
    return field("Name before the @", input, {
        beside: randomize,
        hint: "Randomize gives two words, or after a dot, as in “shop.”, four random characters.",
    });
}

function domainField(alias, names) {
    // The domain that an alias has stays possible; that of one's own address is only offered where none are registered.
    const offered = alias.address && !names.includes(alias.domain) ? [alias.domain, ...names] : names;
    const input = offered.length
        ? el("select", { name: "domain" }, ...offered.map((name) => el("option", { selected: name === alias.domain }, name)))
        : el("input", { name: "domain", required: true, value: alias.domain ?? "", autocapitalize: "none", spellcheck: "false" });
    return field("Domain", input);
}

function destinationField(alias, known) {
    const list = newId();
    const input = el("input", {
        name: "destinations", list, required: Boolean(alias.address), value: (alias.destinations ?? []).join(", "),
        autocapitalize: "none", autocomplete: "off", spellcheck: "false",
    });
    const made = field("Goes to", input, {
        hint: `Addresses with commas between them, or S3 for the configured mailbox.${alias.address ? "" : " Empty: S3."}`,
    });
    made.append(el("datalist", { id: list }, ...known.map((one) => el("option", { value: one.address }))));
    return made;
}

function ownerField(alias) {
    return field("Belongs to", el("input", { name: "owner", value: alias.owner ?? "", autocapitalize: "none", spellcheck: "false" }), {
        hint: "The login that may change it. Empty: administrators only.",
    });
}

function members(values, session) {
    const text = (name) => (values.get(name) ?? "").trim();
    const to = several(text("destinations"));
    return {
        local: text("local").toLowerCase(),
        domain: text("domain").toLowerCase(),
        description: text("description"),
        ...(session.admin ? { owner: text("owner") } : {}),
        ...(to.length ? { destinations: to } : {}),
    };
}
