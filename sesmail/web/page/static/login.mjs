// The view of who is not logged in.

import { logIn } from "./calls.mjs";
import { el } from "./dom.mjs";
import { field, form } from "./forms.mjs";

/** The form; `entered(session)` is called once. `why` says why it is shown, where that needs saying. */
export function loginView(entered, why = "") {
    const user = el("input", { name: "user", required: true, autocomplete: "username", autocapitalize: "none", spellcheck: "false" });
    const password = el("input", { name: "password", type: "password", required: true, autocomplete: "current-password" });
    const asked = form([
        field("User name", user, { hint: "As in your mail program." }),
        field("Password", password),
        el("button", { type: "submit", class: "main wide" }, "Log in"),
    ], async (values) => {
        try {
            entered(await logIn(values.get("user").trim(), values.get("password")));
        } catch (error) {
            password.value = "";
            password.focus();
            throw error;
        }
    });
    return el("section", { class: "login card" },
        el("h1", {}, "Log in"),
        el("p", { class: "note", role: "status", hidden: !why }, why),
        asked);
}
