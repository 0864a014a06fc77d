// A form for what the model takes, and its answer as bars. Everything from the model is set as text, never as markup.
"use strict";

const by = (id) => document.getElementById(id);
// Up to so many numbers have a field each; more are typed as a list.
const FIELDS = 64;
let model, image;
// The last request: answers of others come too late.
let asked = 0;

function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function field(column) {
  const name = column.name;
  if (column.kind === "category") {
    const options = column.categories.map((category) => element("option", { value: category, textContent: category }));
    if (column.missing) options.push(element("option", { value: "", textContent: "(missing)" }));
    return element("select", { name }, ...options);
  }
  if (column.kind === "boolean") {
    return element("select", { name }, ...["true", "false"].map((v) => element("option", { value: v, textContent: v })));
  }
  if (column.kind === "date") return element("input", { name, type: "date" });
  const usual = typeof column.mean === "number" ? Number(column.mean.toPrecision(3)) : "";
  return element("input", { name, type: "number", step: "any", value: usual, placeholder: "missing" });
}

function value(column, text) {
  if (text === "") return null;
  if (column.kind === "numeric") return Number(text);
  if (column.kind === "boolean") return text === "true";
  return text;
}

function columns() {
  const input = model.input;
  if (input.kind === "table") return input.columns;
  const count = input.kind === "numbers" ? input.shape.reduce((a, b) => a * b, 1) : 0;
  if (count > FIELDS) return [];
  return Array.from({ length: count }, (_, i) => ({ name: `x[${i}]`, kind: "numeric", mean: 0 }));
}

function build() {
  document.title = `${model.name} · Rekindle`;
  by("name").textContent = model.name;
  by("recipe").textContent = model.recipe;
  const fields = columns();
  by("values").append(...fields.map((column) => element("label", {}, column.name, field(column))));
  by("drop").hidden = !model.images;
  if (model.input.kind === "numbers" && fields.length === 0 && !model.images) {
    const shape = model.input.shape.join(" x ");
    by("values").append(element("textarea", { id: "list", placeholder: `JSON: ${shape} numbers`, ariaLabel: "Numbers" }));
  }
}

function request() {
  if (image) return { headers: { "content-type": image.type }, body: image };
  const fields = columns();
  const texts = new FormData(by("form"));
  let body;
  if (model.input.kind === "table") {
    body = JSON.stringify(Object.fromEntries(fields.map((c) => [c.name, value(c, texts.get(c.name))])));
  } else if (fields.length > 0) {
    body = JSON.stringify(fields.map((c) => value(c, texts.get(c.name))));
  } else if (by("list")) {
    body = by("list").value;
  } else {
    throw new Error("Choose an image first.");
  }
  return { headers: { "content-type": "application/json" }, body };
}

function show(answer) {
  const said = answer.predictions[0];
  const numbers = said.probabilities === undefined;
  const plain = !numbers || typeof said.predicted === "number";
  const text = Array.isArray(said.predicted) ? said.predicted.join(", ") || "(no label)" : String(said.predicted);
  by("predicted").textContent = plain ? text : "";
  const chosen = [].concat(said.predicted);
  const bars = Object.entries(said.probabilities ?? (plain ? {} : said.predicted));
  if (!numbers) bars.sort((a, b) => b[1] - a[1]);
  by("bars").replaceChildren(...bars.map(([name, amount]) => {
    const shown = element("span", { textContent: numbers ? amount.toPrecision(6) : `${(100 * amount).toFixed(1)} %` });
    const bar = numbers ? element("span", {}) : element("meter", { value: amount, max: 1, ariaLabel: name });
    return element("li", { className: chosen.includes(name) ? "best" : "" }, element("span", { textContent: name }), bar, shown);
  }));
}

async function ask() {
  const mine = ++asked;
  let answer, error = "";
  by("ask").disabled = true;
  try {
    const response = await fetch("predict", { method: "POST", ...request() });
    answer = await response.json();
    if (!response.ok) throw new Error(answer.error);
  } catch (e) {
    error = e.message;
  }
  if (mine !== asked) return;
  by("error").textContent = error;
  by("answer").hidden = error !== "";
  if (error === "") show(answer);
  by("ask").disabled = false;
}

function take(file) {
  if (!file || !model.images) return;
  image = file;
  URL.revokeObjectURL(by("preview").src);
  by("preview").src = URL.createObjectURL(file);
  by("preview").hidden = false;
  ask();
}

async function start() {
  try {
    const response = await fetch("model");
    model = await response.json();
    if (!response.ok) throw new Error(model.error);
  } catch (e) {
    by("error").textContent = `The server does not answer: ${e.message}`;
    return;
  }
  // Before there are fields, whose names would hide the form's own.
  by("form").addEventListener("submit", (event) => {
    event.preventDefault();
    ask();
  });
  build();
  by("file").addEventListener("change", () => take(by("file").files[0]));
  for (const kind of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(kind, (event) => {
      event.preventDefault();
      by("drop").classList.toggle("over", kind === "dragover");
      if (kind === "drop") take(event.dataTransfer.files[0]);
    });
  }
}

start();
