// GraphiQL on the query page. What a link brings is put into the editor as text, and never sent before the user says so.

import { ask, Refused } from "./commons.js";

const PATH = "/api/v0/submission/graphql";
const place = document.getElementById("graphiql");
const bar = document.getElementById("query-bar");
const status = document.getElementById("query-status");
const menu = document.getElementById("example");
const form = document.getElementById("form");

// -- sending ------------------------------------------------------------------

// Tells how long the commons has been at it: a slow query must not look like a dead page.
function progress(way = "; the button in the editor stops waiting") {
  const start = performance.now();
  const timer = setInterval(() => {
    const seconds = Math.floor((performance.now() - start) / 1000);
    status.textContent = `The commons has been working on it for ${seconds} s${way}.`;
  }, 1000);
  let ended = false;
  return (outcome) => {
    if (!ended) {
      ended = true;
      clearInterval(timer);
      status.textContent = outcome;
    }
  };
}

function duration(start) {
  const seconds = (performance.now() - start) / 1000;
  return seconds < 1 ? `${Math.round(1000 * seconds)} ms` : `${seconds.toFixed(1)} s`;
}

async function result(parameters, signal) {
  const response = await ask("POST", PATH, parameters, signal);
  const text = await response.text();
  try {
    return { size: text.length, body: JSON.parse(text) };
  } catch {
    throw new Refused(`The commons answered ${response.status}.`);
  }
}

// GraphiQL shows a button to stop for whatever can be unsubscribed from.
function fetcher(parameters) {
  return {
    subscribe(observer) {
      const own = parameters.operationName === "IntrospectionQuery";
      const stopper = new AbortController();
      const start = performance.now();
      const done = own ? () => {} : progress();
      result(parameters, stopper.signal).then(
        ({ size, body }) => {
          done(`${body.errors ? "Answered with an error" : "Answered"} after ${duration(start)}, ${size.toLocaleString("en")} characters.`);
          observer.next(body);
          observer.complete();
        },
        (error) => {
          if (!stopper.signal.aborted) {
            done("");
            const message = error instanceof Refused ? error.message : "The commons cannot be reached just now.";
            observer.next({ data: null, errors: [message] });
            observer.complete();
          }
        },
      );
      const stop = () => {
        stopper.abort();
        done("Stopped.");
      };
      return { unsubscribe: stop };
    },
  };
}

// -- tables -------------------------------------------------------------------

function save(file, name) {
  const address = URL.createObjectURL(file);
  const anchor = Object.assign(document.createElement("a"), { href: address, download: name });
  anchor.click();
  // The browser has taken the file by then.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

// The whole answer as a file; the editor shows none of it, and may hold none of it.
async function download(query, variables) {
  const start = performance.now();
  const done = progress("");
  try {
    const response = await ask("POST", `${PATH}?format=${form.value}`, { query, variables });
    if (!response.ok) {
      const body = await response.json();
      done(`No table: ${(body.errors ?? [body.message]).join(" ")}`);
      return;
    }
    const file = await response.blob();
    const name = /filename="([^"]+)"/.exec(response.headers.get("Content-Disposition"))?.[1] ?? `table.${form.value}`;
    save(file, name);
    done(`${name}, ${file.size.toLocaleString("en")} bytes, after ${duration(start)}.`);
  } catch (error) {
    done(error instanceof Refused ? error.message : "The table broke off, or the commons cannot be reached just now.");
  }
}

// -- links --------------------------------------------------------------------

// The part behind # never leaves the browser: a query can name what no log should hold.
function shared() {
  const given = new URLSearchParams(location.hash.slice(1));
  return { query: given.get("query"), variables: given.get("variables") };
}

function link(query, variables) {
  const held = new URLSearchParams({ query, ...(variables?.trim() ? { variables } : {}) });
  return `${location.origin}${location.pathname}#${held}`;
}

async function share(query, variables) {
  const address = link(query, variables);
  history.replaceState(null, "", address);
  try {
    await navigator.clipboard.writeText(address);
    status.textContent = "The link is copied. Whoever opens it sees only what he himself may read.";
  } catch {
    status.textContent = "The address of this page is now the link.";
  }
}

// -- page ---------------------------------------------------------------------

// Kept for this tab alone: workspaces share the origin, and the next user of a computer its store.
const store = {
  getItem: (key) => sessionStorage.getItem(key),
  setItem: (key, value) => sessionStorage.setItem(key, value),
  removeItem: (key) => sessionStorage.removeItem(key),
  clear: () => sessionStorage.clear(),
  get length() {
    return sessionStorage.length;
  },
};

function Page() {
  const [{ query, variables }, edit] = React.useState(() => {
    const brought = shared();
    // Without either, GraphiQL brings back what this tab had before, such as before a sign-in.
    const chosen = "chosen" in place.dataset ? place.dataset.query : undefined;
    return { query: brought.query ?? chosen, variables: brought.variables ?? undefined };
  });
  const current = React.useRef({});
  current.current = { query, variables };
  React.useEffect(() => {
    const choose = () => menu.value && edit((before) => ({ ...before, query: menu.value }));
    const copy = () => share(current.current.query ?? "", current.current.variables);
    const follow = () => {
      const brought = shared();
      if (brought.query !== null) {
        edit({ query: brought.query, variables: brought.variables ?? "" });
      }
    };
    const table = async (event) => {
      const button = event.currentTarget;
      button.disabled = true;
      await download(current.current.query ?? "", current.current.variables);
      button.disabled = false;
    };
    const listened = [
      [menu, "change", choose],
      [document.getElementById("share"), "click", copy],
      [document.getElementById("download"), "click", table],
      [window, "hashchange", follow],
    ];
    for (const [target, name, listener] of listened) {
      target.addEventListener(name, listener);
    }
    return () => {
      for (const [target, name, listener] of listened) {
        target.removeEventListener(name, listener);
      }
    };
  }, []);
  return React.createElement(GraphiQL, {
    fetcher,
    query,
    variables,
    storage: store,
    isHeadersEditorEnabled: false,
    shouldPersistHeaders: false,
    defaultQuery: place.dataset.query,
    onEditQuery: (text) => edit((before) => ({ ...before, query: text })),
    onEditVariables: (text) => edit((before) => ({ ...before, variables: text })),
  });
}

// The editor takes Tab for itself, and would never let go of who has only a keyboard.
let leaving = false;
place.addEventListener(
  "keydown",
  (event) => {
    if (event.key === "Tab" && leaving) {
      event.stopPropagation();
    }
    leaving = event.key === "Escape" || (leaving && event.key === "Shift");
  },
  true,
);

bar.addEventListener("submit", (event) => event.preventDefault());
ReactDOM.createRoot(place).render(React.createElement(Page));
