// Requests to the gateway. All paths are below the page's own, wherever a proxy has put it.

const PATIENCE = 30_000;

/** Says what went wrong in words for people. `status` is 0 where there was no answer; `fields` has words by the name of a field. */
export class Trouble extends Error {
    constructor(status, words = usual(status), fields = {}) {
        super(words);
        this.status = status;
        this.fields = fields;
    }
}

const WORDS = {
    0: "The server does not answer. Check your connection and try again.",
    401: "Your session has ended. Please log in again.",
    403: "You may not do this.",
    404: "This is not there any more.",
    409: "There is one of this name already.",
    412: "Somebody else has changed this meanwhile. You now see how it is; try again if you still want to.",
    413: "This is too long.",
    422: "Something in this form is not right.",
    429: "Too many attempts. Wait a little and try again.",
    503: "The server cannot do this right now. Try again in a minute.",
};

// Here the gateway knows better than this page what is wrong.
const TOLD = new Set([400, 401, 403, 409, 422, 429]);

let token = "";

/** From now on changes carry this token, which shows that they come from this page. */
export function useToken(csrf) {
    token = csrf;
}

/** Sent to the window when the gateway no longer knows who we are. */
export const SIGNED_OUT = "signedout";

/** The content of the answer. Raises Trouble, and AbortError where `signal` says so. */
export async function ask(method, path, { body, match, query, signal } = {}) {
    const response = await reach(method, place(path, query), headersOf(method, body, match), { body, signal });
    const data = await content(response);
    if (response.ok) {
        return data;
    }
    if (response.status === 401 && path !== "session") {
        window.dispatchEvent(new Event(SIGNED_OUT));
    }
    throw troubleOf(response.status, data);
}

function place(path, query = {}) {
    const url = new URL(path, document.baseURI);
    url.hash = "";
    for (const [name, value] of Object.entries(query)) {
        if (value !== "" && value !== null && value !== undefined) {
            url.searchParams.set(name, value);
        }
    }
    return url;
}

function headersOf(method, body, match) {
    const headers = { Accept: "application/json" };
    if (method !== "GET" && token) {
        headers["X-CSRF-Token"] = token;
    }
    if (body !== undefined) {
        headers["Content-Type"] = method === "PATCH" ? "application/merge-patch+json" : "application/json";
    }
    if (match) {
        headers["If-Match"] = match;
    }
    return headers;
}

async function reach(method, url, headers, { body, signal }) {
    const patience = AbortSignal.timeout(PATIENCE);
    try {
        return await fetch(url, {
            method,
            headers,
            body: body === undefined ? undefined : JSON.stringify(body),
            credentials: "same-origin",
            cache: "no-store",
            redirect: "error",
            signal: signal ? AbortSignal.any([signal, patience]) : patience,
        });
    } catch (error) {
        if (signal?.aborted) {
            throw error;
        }
        throw new Trouble(0);
    }
}

async function content(response) {
    if (!(response.headers.get("Content-Type") ?? "").includes("json")) {
        return null;
    }
    try {
        return await response.json();
    } catch {
        throw new Trouble(0);
    }
}

function troubleOf(status, problem) {
    const told = TOLD.has(status) ? problem?.detail : null;
    return new Trouble(status, told ? sentence(told) : usual(status), fieldsOf(problem));
}

function usual(status) {
    return WORDS[status] ?? (status < 500 ? "The server did not understand this page. Load it again." : WORDS[503]);
}

function fieldsOf(problem) {
    const named = (problem?.errors ?? []).map(({ pointer, detail }) => [pointer.replace(/^#\//, "").split("/")[0], sentence(detail)]);
    return Object.fromEntries(named);
}

/** With a capital letter and a full stop. */
function sentence(text) {
    const whole = String(text).trim();
    return whole.charAt(0).toUpperCase() + whole.slice(1) + (/[.!?]$/.test(whole) ? "" : ".");
}
