"use strict";
// Tables sort, filter and copy; without this script the page is complete but still. No string ever becomes markup.
(() => {
  const said = document.getElementById("said");
  const make = (tag, properties, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };

  const valueOf = (cell) => {
    if (cell.dataset.v !== undefined) return cell.dataset.v === "" ? NaN : Number(cell.dataset.v);
    const text = cell.textContent.trim().replace(/\u2212/g, "-").replace(/[\u202f\s]/g, "");
    return text === "" ? NaN : Number(text);
  };

  const compare = (place, numeric, sign) => (a, b) => {
    const left = a.cells[place], right = b.cells[place];
    if (!numeric) return sign * left.textContent.localeCompare(right.textContent, "en", { numeric: true });
    const x = valueOf(left), y = valueOf(right);
    if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
    return sign * (x - y);
  };

  const makeSortable = (table) => {
    const body = table.tBodies[0], original = [...body.rows];
    const heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
    heads.forEach((head, place) => {
      const button = make("button", { type: "button", className: "sort" }, ...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const next = { none: "ascending", ascending: "descending", descending: "none" }[head.getAttribute("aria-sort") || "none"];
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        const rows = [...original];
        if (next !== "none") {
          head.setAttribute("aria-sort", next);
          rows.sort(compare(place, head.classList.contains("number"), next === "ascending" ? 1 : -1));
        }
        body.append(...rows);
      });
    });
  };

  const visibleRows = (table) => [...table.tBodies[0].rows].filter((row) => !row.hidden);
  const heads = (table) => [...table.tHead.rows[table.tHead.rows.length - 1].cells];

  const asMarkdown = (table) => {
    const plain = (text) => text.trim().replace(/[\\`*|<$~]/g, (c) => (c === "<" ? "&lt;" : "\\" + c)).replace(/\s+/g, " ");
    const line = (texts) => "| " + texts.join(" | ") + " |";
    const columns = heads(table);
    return [
      line(columns.map((head) => plain(head.dataset.head) || " ")),
      line(columns.map((head) => (head.classList.contains("number") ? "---:" : "---"))),
      ...visibleRows(table).map((row) => line([...row.cells].map((cell) => plain(cell.textContent)))),
    ].join("\n") + "\n";
  };

  const asCsv = (table) => {
    const quoted = (text) => {
      let plain = text.trim();
      if (/^[=@+\-\t]/.test(plain) && Number.isNaN(Number(plain.replace("%", "")))) plain = "'" + plain;
      return /[",\n\r]/.test(plain) ? '"' + plain.replace(/"/g, '""') + '"' : plain;
    };
    const rows = visibleRows(table).map((row) => [...row.cells].map((cell) => cell.textContent));
    return [heads(table).map((head) => head.dataset.head), ...rows]
      .map((texts) => texts.map(quoted).join(",")).join("\n") + "\n";
  };

  const copy = async (text, what) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = make("textarea", { value: text, className: "unseen" });
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    said.textContent = "";
    requestAnimationFrame(() => { said.textContent = what + " copied"; });
  };

  const copyButton = (label, what, text) => {
    const button = make("button", { type: "button", className: "copy", textContent: label });
    button.addEventListener("click", () => {
      copy(text(), what);
      button.classList.add("done");
      setTimeout(() => button.classList.remove("done"), 1200);
    });
    return button;
  };

  const filterField = (table) => {
    const field = make("input", { type: "search", placeholder: "Filter rows", autocomplete: "off" });
    field.setAttribute("aria-label", "Filter rows of: " + table.closest(".tablebox").querySelector(".tabletitle").textContent);
    field.addEventListener("input", () => {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      const rows = [...table.tBodies[0].rows];
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
      }
      said.textContent = visibleRows(table).length + " of " + rows.length + " rows";
    });
    return field;
  };

  const equip = (table) => {
    makeSortable(table);
    const tools = make("div", { className: "tools" });
    if (table.tBodies[0].rows.length > 5) tools.append(filterField(table));
    tools.append(copyButton("Markdown", "Table as Markdown", () => asMarkdown(table)));
    tools.append(copyButton("CSV", "Table as CSV", () => asCsv(table)));
    table.closest(".tablebox").querySelector(".tablehead").append(tools);
  };

  // Tables behind a disclosure are equipped when first opened, so that a long report is ready at once.
  const equipIn = (root) => {
    for (const table of root.querySelectorAll("table")) {
      const fold = table.closest("details");
      if ((!fold || fold.open) && !table.dataset.equipped) {
        table.dataset.equipped = "1";
        equip(table);
      }
    }
  };
  document.addEventListener("toggle", (event) => { if (event.target.open) equipIn(event.target); }, true);
  equipIn(document);

  for (const code of document.querySelectorAll(".code")) {
    const text = code.querySelector("pre").textContent;
    code.querySelector(".codelabel").append(copyButton("Copy", "Text", () => text));
  }
})();
