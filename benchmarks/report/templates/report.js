"use strict";
const root = document.documentElement, toggle = document.getElementById("theme"), prefers = matchMedia("(prefers-color-scheme: dark)");
let chosen = null;
const paint = () => {
  root.dataset.theme = chosen ?? (prefers.matches ? "dark" : "light");
  toggle.textContent = root.dataset.theme === "dark" ? "Light" : "Dark";
  toggle.setAttribute("aria-label", `Switch to ${toggle.textContent.toLowerCase()} colours`);
};
toggle.addEventListener("click", () => { chosen = root.dataset.theme === "dark" ? "light" : "dark"; paint(); });
prefers.addEventListener("change", paint);
paint();

// The heat map: one cell in the tab order, arrows move, what a cell holds appears beside.
const grid = document.getElementById("grid"), panel = document.getElementById("cell");
const details = JSON.parse(document.getElementById("cells").textContent);
const element = (tag, text, name) => { const made = document.createElement(tag); made.textContent = text; if (name) made.className = name; return made; };
const table = (head, rows) => {
  const made = document.createElement("table"), top = made.insertRow();
  head.forEach((text, i) => top.append(element("th", text, i ? "n" : "")));
  rows.forEach(values => { const row = made.insertRow(); values.forEach((text, i) => row.append(element("td", text, i ? "n" : ""))); });
  return made;
};
const show = cell => {
  const found = details[cell.dataset.cell];
  grid.querySelector(".on")?.classList.remove("on");
  cell.classList.add("on");
  panel.replaceChildren(element("h3", cell.getAttribute("aria-label").split(": ")[0]));
  panel.append(element("p", `${found.status}${found.n ? `, ${found.n} queries` : ""}`, found.status));
  if (found.reason) panel.append(element("p", found.reason));
  if (found.accelerated) panel.append(element("p", found.accelerated, "soft"));
  if (found.blamed) panel.append(element("p", `blamed: ${found.blamed}`, "soft"));
  if (found.measures.length) panel.append(table(["measure", "value", "gate", "used"], found.measures));
  if (found.edges.length) panel.append(table(["edge", "max diff", ""], found.edges.map(([name, diff, reason]) => [name, diff, reason || "✓"])));
  panel.append(element("p", `Gate: ${found.why}`, "soft"), element("p", cell.dataset.source, "source"));
};
const reachable = cell => { grid.querySelectorAll('td[tabindex="0"]').forEach(other => { other.tabIndex = -1; }); cell.tabIndex = 0; };
grid.addEventListener("mouseover", event => { const cell = event.target.closest("td[data-cell]"); if (cell) show(cell); });
grid.addEventListener("focusin", event => { const cell = event.target.closest("td[data-cell]"); if (cell) { show(cell); reachable(cell); } });
grid.addEventListener("keydown", event => {
  const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key], from = event.target.closest("td[data-cell]");
  if (!step || !from) return;
  event.preventDefault();
  const rows = [...grid.querySelectorAll("tr[data-row]")];
  let row = rows.indexOf(from.parentElement), column = from.cellIndex, next;
  do { row += step[0]; column += step[1]; next = rows[row]?.cells[column]; } while (next && !next.dataset.cell);
  if (next?.dataset.cell) next.focus();
});
const first = grid.querySelector("td[data-cell]");
if (first) { first.tabIndex = 0; }

// Marks of the charts say what they are: shown under the pointer.
const tip = document.getElementById("tip");
document.addEventListener("mousemove", event => {
  const mark = event.target.closest?.(".plot [role=graphics-symbol][aria-label]");
  const said = mark && mark.getAttribute("aria-roledescription") !== "axis" && mark.getAttribute("aria-roledescription") !== "legend" ? mark.getAttribute("aria-label") : "";
  tip.hidden = !said;
  if (!said) return;
  tip.textContent = said;
  tip.style.left = `${Math.min(event.clientX + 12, innerWidth - tip.offsetWidth - 8)}px`;
  tip.style.top = `${event.clientY + 16 + tip.offsetHeight > innerHeight ? event.clientY - tip.offsetHeight - 10 : event.clientY + 16}px`;
});
