"use strict";

// #L43-L53 means these lines of a source file.
function showLines() {
  document.querySelectorAll(".source .meant").forEach((line) => line.classList.remove("meant"));
  const range = /^#L(\d+)(?:-L(\d+))?$/.exec(location.hash);
  if (!range) return;
  const first = document.getElementById(`L${range[1]}`);
  for (let n = +range[1]; n <= +(range[2] || range[1]); n++) {
    document.getElementById(`L${n}`)?.classList.add("meant");
  }
  first?.scrollIntoView({ block: "center", inline: "start" });
}
addEventListener("hashchange", showLines);
showLines();

// A stage chosen in one row of tabs is chosen in all of them; what was clicked stays where it was.
const labelOf = (input) => document.querySelector(`label[for="${input.id}"]`);
const stageOf = (input) => labelOf(input)?.textContent.trim().slice(0, 2);
document.addEventListener("change", ({ target }) => {
  if (!target.matches(".tabbed-set > input")) return;
  const before = labelOf(target).getBoundingClientRect().top;
  for (const other of document.querySelectorAll(".tabbed-set > input")) {
    if (other !== target && stageOf(other) === stageOf(target)) other.checked = true;
  }
  scrollBy({ top: labelOf(target).getBoundingClientRect().top - before, behavior: "instant" });
});
