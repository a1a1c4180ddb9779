// Shows the result of a query as a table under the form. Without this script the form still
// works: it asks the endpoint itself in the chosen format. All text enters by textContent.
const form = document.getElementById("query-form");
const format = document.getElementById("format");
const output = document.getElementById("output");
const status = document.getElementById("status");
const words = form.dataset;
const MAX_ROWS = 1000;

const option = new Option(words.table, "table", true, true);
format.prepend(option);
format.value = "table";

const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, key) => values[key]);

function element(name, text, attributes = {}) {
  const node = document.createElement(name);
  if (text !== undefined) node.textContent = text;
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

function localAddress(iri) {
  return "/resource?" + new URLSearchParams(
    words.lang ? { iri, lang: words.lang } : { iri });
}

function termNode(term) {
  if (!term) return element("span", "");
  if (term.type === "uri") {
    const base = words.base;
    const shown = term.value.startsWith(base) ? term.value.slice(base.length) : term.value;
    return element("a", shown, { href: localAddress(term.value), title: term.value });
  }
  if (term.type === "triple") return element("code", JSON.stringify(term.value));
  if (term.type === "bnode") return element("code", "_:" + term.value);
  const node = element("span", term.value);
  if (term["xml:lang"]) node.lang = term["xml:lang"];
  if (term.datatype) node.title = term.datatype;
  return node;
}

function showTable(data) {
  const names = data.head.vars;
  const rows = data.results.bindings;
  const table = element("table");
  const shown = rows.slice(0, MAX_ROWS);
  table.append(element("caption", words.result, { class: "sr-only" }));
  const head = element("tr");
  for (const name of names) head.append(element("th", name, { scope: "col" }));
  table.createTHead().append(head);
  const body = table.createTBody();
  for (const row of shown) {
    const line = body.insertRow();
    for (const name of names) line.insertCell().append(termNode(row[name]));
  }
  const scroll = element("div", undefined, {
    class: "scroll", tabindex: "0", role: "region", "aria-label": words.result });
  scroll.append(table);
  output.replaceChildren(scroll);
  status.textContent = rows.length > MAX_ROWS
    ? fill(words.cut, { n: shown.length, total: rows.length })
    : fill(words.rows, { n: rows.length });
}

function showProblem(problem) {
  const box = element("div", undefined, { class: "trouble", role: "alert" });
  box.append(element("p", problem.title || words.other));
  if (problem.detail) box.append(element("p", problem.detail));
  if (problem.line) {
    box.append(element("p", fill(words.place, { line: problem.line, column: problem.column ?? 1 })));
  }
  output.replaceChildren(box);
  status.textContent = "";
}

form.addEventListener("submit", async (event) => {
  if (format.value !== "table") return;
  event.preventDefault();
  const query = document.getElementById("query").value;
  const shared = new URL(form.action.split("?")[0]);
  shared.search = new URLSearchParams(words.lang ? { query, lang: words.lang } : { query });
  history.replaceState(null, "", shared);
  output.replaceChildren();
  status.textContent = words.running;
  try {
    const reply = await fetch(form.action.split("?")[0], {
      method: "POST",
      headers: {
        "Content-Type": "application/sparql-query",
        "Accept": "application/sparql-results+json, text/turtle;q=0.8, application/problem+json;q=0.1",
      },
      body: query,
    });
    const type = reply.headers.get("Content-Type") || "";
    if (!reply.ok) {
      showProblem(type.includes("json") ? await reply.json() : { title: reply.statusText });
    } else if (type.includes("sparql-results+json")) {
      const data = await reply.json();
      if ("boolean" in data) {
        output.replaceChildren(element("p", data.boolean ? words.true : words.false));
        status.textContent = "";
      } else {
        showTable(data);
      }
    } else {
      output.replaceChildren(element("pre", await reply.text()));
      status.textContent = "";
    }
  } catch {
    showProblem({ title: words.unreachable });
  }
});

for (const link of document.querySelectorAll("[data-query]")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    const area = document.getElementById("query");
    area.value = link.dataset.query;
    area.focus();
    area.scrollIntoView({ block: "center" });
  });
}

if ("run" in words) form.requestSubmit();
