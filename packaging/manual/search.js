"use strict";
// Searches the sections that search-index.js holds: [page, anchor, title of the page, heading, text].
const field = document.getElementById("search");
const found = document.getElementById("found");
const contents = document.getElementById("contents");
const MOST = 40;

function rank(words, query, section) {
  const heading = section[3].toLowerCase();
  if (heading === query) return 0;
  if (heading.startsWith(query)) return 1;
  if (heading.includes(query)) return 2;
  if (words.every((word) => heading.includes(word))) return 3;
  const told = heading + " " + section[4].toLowerCase();
  return query.length > 2 && words.every((word) => told.includes(word)) ? 4 : -1;
}

function line(section, words) {
  const item = document.createElement("li");
  const link = document.createElement("a");
  link.href = section[0] + ".html#" + section[1];
  link.textContent = section[3];
  const told = document.createElement("small");
  const at = section[4].toLowerCase().indexOf(words[0]);
  const first = Math.max(0, at - 30);
  const piece = section[4].slice(first, first + 110);
  told.textContent = section[2] + (piece ? ": " + (first ? "…" : "") + piece : "");
  link.append(told);
  item.append(link);
  return item;
}

function search() {
  const query = field.value.trim().toLowerCase().replace(/\s+/g, " ");
  contents.hidden = query !== "";
  found.replaceChildren();
  if (!query) return;
  const words = query.split(" ");
  const hits = SECTIONS.map((section) => [rank(words, query, section), section])
    .filter((hit) => hit[0] >= 0)
    .sort((one, other) => one[0] - other[0])
    .slice(0, MOST);
  if (!hits.length) {
    const nothing = document.createElement("li");
    nothing.textContent = "Nothing found. Try fewer or shorter words.";
    found.append(nothing);
  }
  hits.forEach((hit) => found.append(line(hit[1], words)));
}

field.addEventListener("input", search);
search();
