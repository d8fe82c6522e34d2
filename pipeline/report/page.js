"use strict";
// Everything a chart shows is in the page: specifications, each cell's curves and layers, the words of each language.
const data = JSON.parse(document.getElementById("data").textContent);
const page = document.getElementById("page");
const texts = { en: document.createElement("template") };
texts.en.innerHTML = page.innerHTML;
for (const text of document.querySelectorAll("template[id^=text-]")) texts[text.id.slice(5)] = text;
const dark = matchMedia("(prefers-color-scheme: dark)");
let language = "en";

// --- charts ---

// Names of fields and marks are not words.
const asTheyAre = new Set(data.asTheyAre);

function translated(value, words) {
  if (typeof value === "string") return words[value] ?? value;
  if (Array.isArray(value)) return value.map((one) => translated(one, words));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [key, asTheyAre.has(key) ? one : translated(one, words)]),
  );
}

function draw(place, specification) {
  const room = place.clientWidth;
  return vegaEmbed(place, translated(specification, data.words[language]), {
    actions: false,
    renderer: "svg",
    theme: dark.matches ? "dark" : undefined,
    config: {
      background: "transparent",
      font: "system-ui, sans-serif",
      axis: dark.matches ? { gridColor: "#30363d", domainColor: "#59636e", tickColor: "#59636e" } : {},
      axisY: { labelLimit: room / 3 },
      legend: { labelLimit: room - 40 },
    },
  }).then(() => place.querySelector("svg, canvas").setAttribute("aria-hidden", "true")); // the place has the chart's words
}

// A chart is drawn when it comes near the screen: the page opens at once, however many there are.
const near = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      near.unobserve(entry.target);
      draw(entry.target, data.charts[entry.target.dataset.chart]);
    }
  },
  { rootMargin: "600px" },
);

function watchCharts() {
  near.disconnect();
  for (const place of page.querySelectorAll("[data-chart]")) near.observe(place);
}

addEventListener("beforeprint", () => {
  for (const place of page.querySelectorAll("[data-chart]:empty")) {
    if (place.offsetParent) draw(place, data.charts[place.dataset.chart]);
  }
});

// --- a cell's curves and layers ---

function rowsOf(cell) {
  return {
    curve: cell.curve.flatMap(([epoch, train, mean, low, high]) => [
      { epoch, part: "training", accuracy: train, low: train, high: train },
      { epoch, part: "validation", accuracy: mean, low, high },
    ]),
    layers: cell.layers.map(([epoch, layer, gradient, activation_sd, dead]) => ({
      epoch, layer, gradient: gradient > 0 ? gradient : null, activation_sd, dead,
    })),
  };
}

function showCell(button) {
  const dialog = page.querySelector("dialog");
  const cell = data.cells[button.closest("[data-study]").dataset.study][button.dataset.cell];
  dialog.querySelector("h2").textContent = cell.name;
  const rows = rowsOf(cell);
  dialog.showModal(); // first: a chart takes its place's width
  for (const place of dialog.querySelectorAll("[data-cell-chart]")) {
    const name = place.dataset.cellChart;
    const values = rows[name === "curve" ? "curve" : "layers"];
    place.closest("figure").hidden = values.length === 0;
    if (values.length) draw(place, { ...data.cellCharts[name], datasets: { curve: rows.curve, layers: rows.layers } });
  }
  dialog.querySelector(".nothing").hidden = rows.curve.length > 0;
}

// One stop of the tab key for each map; arrows move inside it.
function moveInMap(event) {
  const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
  const button = event.target.closest("button[data-cell]");
  if (!step || !button) return;
  const at = button.closest("td");
  const row = at.parentElement.parentElement.rows[at.parentElement.sectionRowIndex + step[0]];
  const cells = [...button.closest("table").querySelectorAll("button[data-cell]")];
  // Where the map has a hole: the cell before or after it.
  const next = row?.cells[at.cellIndex + step[1]]?.querySelector("button") ?? cells[cells.indexOf(button) + step[0] + step[1]];
  if (!next) return;
  event.preventDefault();
  button.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}

function enterMaps() {
  for (const map of page.querySelectorAll("table.heat")) {
    [...map.querySelectorAll("button[data-cell]")].forEach((button, index) => { button.tabIndex = index ? -1 : 0; });
  }
}

page.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-cell]");
  if (button) showCell(button);
  const dialog = event.target.closest("dialog");
  if (dialog && (event.target === dialog || event.target.closest(".close"))) dialog.close();
});
page.addEventListener("keydown", moveInMap);

// --- the ledger's filter ---

page.addEventListener("change", (event) => {
  if (event.target.name !== "verdict") return;
  for (const card of page.querySelectorAll(".claim")) {
    card.hidden = event.target.value !== "all" && card.dataset.verdict !== event.target.value;
  }
});

// --- languages ---

function show(name) {
  const open = [...page.querySelectorAll("details[open]")].map((details) => details.id);
  language = name;
  page.replaceChildren(texts[name].content.cloneNode(true));
  for (const id of open) if (id) document.getElementById(id).open = true;
  document.documentElement.lang = name;
  for (const button of document.querySelectorAll("[data-language]")) {
    const chosen = button.dataset.language === name;
    button.setAttribute("aria-pressed", chosen);
    if (chosen) document.title = button.dataset.title;
  }
  enterMaps();
  watchCharts();
}

document.querySelector(".languages").addEventListener("click", (event) => {
  const name = event.target.dataset.language;
  if (!name) return;
  const place = scrollY / document.body.scrollHeight;
  show(name);
  scrollTo(0, place * document.body.scrollHeight);
  remember(name);
});

// Inside a frame, as in MLflow, a page may remember nothing.
function remember(name) {
  try { localStorage.setItem("language", name); } catch { /* then not */ }
}

function remembered() {
  try { return localStorage.getItem("language"); } catch { return null; }
}

const wanted = remembered() ?? navigator.language.slice(0, 2);
if (wanted in texts && wanted !== "en") show(wanted);
else { enterMaps(); watchCharts(); }
if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
dark.addEventListener("change", () => {
  for (const place of page.querySelectorAll("[data-chart]")) place.replaceChildren();
  watchCharts();
});
