"use strict";
// Which detector the plots show, and sorting of tables. Without this, the recipe's own is shown.
const chooser = document.querySelector("#detector");
const formula = document.querySelector("#formula");
function choose(detector) {
  for (const part of document.querySelectorAll("[data-d]")) {
    part.classList.toggle("on", part.dataset.d === detector);
  }
  chooser.value = detector;
  const option = chooser.selectedOptions[0];
  formula.textContent = option ? option.dataset.formula : "";
}
chooser.addEventListener("change", () => choose(chooser.value));
for (const row of document.querySelectorAll("tbody tr[data-d]")) {
  row.addEventListener("click", () => choose(row.dataset.d));
}
choose(chooser.value);
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.querySelectorAll("th[data-sort]")];
  for (const head of heads) {
    const sort = () => {
      const column = Number(head.dataset.sort);
      const body = table.tBodies[0];
      const value = (row) => {
        const cell = row.cells[column];
        if (!cell) return null;
        if (column === 0) return cell.textContent;
        const number = parseFloat(cell.textContent);
        return Number.isNaN(number) ? null : number;
      };
      const first = head.dataset.first || "descending";
      const other = first === "descending" ? "ascending" : "descending";
      const order = head.getAttribute("aria-sort") === first ? other : first;
      heads.forEach((h) => h.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      [...body.rows].sort((a, b) => {
        const x = value(a), y = value(b);
        if (x === null || y === null) return (x === null) - (y === null);
        return sign * (typeof x === "string" ? x.localeCompare(y) : x - y);
      }).forEach((row) => body.appendChild(row));
    };
    head.tabIndex = 0;
    head.addEventListener("click", sort);
    head.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); sort(); }
    });
  }
}
