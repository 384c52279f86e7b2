// GraphiQL on the query page. What a link brings is put into the editor as text, and never sent before the user says so.

import { ask, Refused } from "./commons.js";

const PATH = "/api/v0/submission/graphql";
const place = document.getElementById("graphiql");
const bar = document.getElementById("query-bar");
const status = document.getElementById("query-status");
const menu = document.getElementById("example");

// -- sending ------------------------------------------------------------------

// Tells how long the commons has been at it: a slow query must not look like a dead page.
function progress() {
  const start = performance.now();
  const timer = setInterval(() => {
    const seconds = Math.floor((performance.now() - start) / 1000);
    status.textContent = `The commons has been working on it for ${seconds} s; the button in the editor stops waiting.`;
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
    const button = document.getElementById("share");
    menu.addEventListener("change", choose);
    button.addEventListener("click", copy);
    window.addEventListener("hashchange", follow);
    return () => {
      menu.removeEventListener("change", choose);
      button.removeEventListener("click", copy);
      window.removeEventListener("hashchange", follow);
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
