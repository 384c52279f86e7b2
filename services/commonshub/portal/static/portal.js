// The pages' own script.

import { call, Refused } from "./commons.js";

function save(name, document_) {
  const url = URL.createObjectURL(new Blob([JSON.stringify(document_)], { type: "application/json" }));
  const anchor = Object.assign(document.createElement("a"), { href: url, download: name });
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

function expiry(key) {
  const part = key.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
  return new Date(1000 * JSON.parse(atob(part)).exp);
}

// -- API keys -----------------------------------------------------------------

function startKeys(table) {
  const rows = table.tBodies[0];
  const status = document.getElementById("key-status");
  const dialog = document.getElementById("revoke");
  const create = document.querySelector("[data-create-key]");
  let chosen = null;

  const tell = (text) => {
    status.textContent = text;
    document.getElementById("no-keys").hidden = rows.rows.length > 0;
  };

  const guarded = async (work) => {
    create.disabled = true;
    try {
      await work();
    } catch (error) {
      tell(error instanceof Refused ? error.message : "The commons cannot be reached just now.");
    } finally {
      create.disabled = false;
    }
  };

  create.addEventListener("click", () =>
    guarded(async () => {
      const made = await call("POST", "/user/credentials/api/", { scope: ["data", "user"] });
      save("credentials.json", made);
      const row = document.getElementById("key-row").content.cloneNode(true);
      const until = expiry(made.api_key);
      row.querySelector("tr").dataset.key = made.key_id;
      row.querySelector("code").textContent = made.key_id;
      row.querySelector("time").dateTime = until.toISOString();
      row.querySelector("time").textContent = `${until.toISOString().slice(0, 16).replace("T", " ")} UTC`;
      rows.prepend(row);
      tell("The key was made and saved as credentials.json. It cannot be shown again.");
    }),
  );

  rows.addEventListener("click", (event) => {
    if (event.target.closest("[data-revoke-key]")) {
      chosen = event.target.closest("tr");
      dialog.querySelector("[data-key-name]").textContent = chosen.dataset.key;
      dialog.returnValue = "keep";
      dialog.showModal();
    }
  });

  dialog.addEventListener("close", () => {
    if (dialog.returnValue === "revoke") {
      guarded(async () => {
        await call("DELETE", `/user/credentials/api/${encodeURIComponent(chosen.dataset.key)}`);
        chosen.remove();
        tell("The key was revoked.");
        create.focus();
      });
    }
  });
}

// -- other commons ------------------------------------------------------------

function startOthers(table) {
  const status = document.getElementById("others-status");
  table.addEventListener("click", async (event) => {
    if (!event.target.closest("[data-disconnect]")) {
      return;
    }
    event.target.disabled = true;
    try {
      await call("GET", `/wts/oauth2/logout?idp=${encodeURIComponent(event.target.closest("tr").dataset.idp)}`);
      location.reload();
    } catch (error) {
      event.target.disabled = false;
      status.textContent = error instanceof Refused ? error.message : "The commons cannot be reached just now.";
    }
  });
}

// -- filter of the dictionary -------------------------------------------------

function startFilter(input) {
  const entries = [...document.querySelectorAll(input.dataset.filter)];
  const found = document.getElementById(input.getAttribute("aria-describedby"));
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const entry of entries) {
      entry.hidden = !words.every((word) => entry.dataset.text.includes(word));
      count += entry.hidden ? 0 : 1;
    }
    found.textContent = words.length ? `${count} of ${entries.length} node types` : "";
  });
}

// -- lines of the data model --------------------------------------------------

function startModel(svg) {
  const lines = [...svg.querySelectorAll(".lines path")];
  const light = (event) => {
    const node = ["mouseover", "focusin"].includes(event.type) ? event.target.closest("[data-node]")?.dataset.node : null;
    for (const line of lines) {
      line.classList.toggle("lit", node != null && (line.dataset.source === node || line.dataset.target === node));
    }
  };
  for (const type of ["mouseover", "mouseout", "focusin", "focusout"]) {
    svg.addEventListener(type, light);
  }
}

const keyTable = document.getElementById("key-table");
if (keyTable) {
  startKeys(keyTable);
}
const othersTable = document.getElementById("others-table");
if (othersTable) {
  startOthers(othersTable);
}
document.querySelectorAll("[data-filter]").forEach(startFilter);
document.querySelectorAll("svg.model").forEach(startModel);
