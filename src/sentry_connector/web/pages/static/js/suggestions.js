// Suggestions in an SQL editor: tables, columns, functions and keywords, at the caret, by the keyboard.

const MOST = 50;
const WORD = /[\p{L}\p{N}_$]*$/u;

/**
 * Offer suggestions in a text area.
 * @param {HTMLTextAreaElement} area
 * @param {HTMLElement} list a listbox beside it.
 * @param {HTMLElement} told a live region that says how many there are.
 * @param {object} words for people: table, column, function, keyword, suggestions.
 * @returns {{learn: function(object): void, isOpen: function(): boolean, close: function(): void}}
 */
export function suggestIn(area, list, told, words) {
  let names = { tables: [], functions: [], keywords: [] };
  let keywords = new Set();
  let found = [];
  let active = -1;
  let begin = 0;

  const quoted = (name) =>
    /^[a-z_][a-z0-9_]*$/.test(name) && !keywords.has(name) ? name : `"${name.replaceAll('"', '""')}"`;
  const sqlOf = (name) => (name.startsWith("connector.") ? name : quoted(name));

  /** The tables that the statement names, so that their columns come first. */
  const named = (text) => names.tables.filter((table) => text.includes(table.name.toLowerCase()));

  function candidates(before, whole) {
    const word = WORD.exec(before)[0];
    const owner = /(?:"((?:[^"]|"")*)"|([\p{L}\p{N}_$]+))\.$/u.exec(before.slice(0, before.length - word.length));
    const mentioned = named(whole.toLowerCase());
    const columns = (tables) =>
      tables.flatMap((table) => table.columns.map((one) => ({ text: quoted(one.name), label: one.name, kind: words.column, more: one.type })));
    if (owner) {
      const name = (owner[1] ?? owner[2]).replaceAll('""', '"').toLowerCase();
      if (name === "connector") {
        const records = names.tables.filter((one) => one.name.startsWith("connector."));
        return [word, records.map((one) => ({ text: one.name.slice(10), label: one.name.slice(10), kind: words.table }))];
      }
      const table = names.tables.filter((one) => one.name.toLowerCase() === name);
      return [word, columns(table.length ? table : mentioned)]; // an alias stands for one of those that are mentioned
    }
    const sql = names.keywords.map((one) => ({ text: one.toUpperCase(), label: one.toUpperCase(), kind: words.keyword }));
    const tables = names.tables.map((one) => ({ text: sqlOf(one.name), label: one.name, kind: words.table }));
    const functions = names.functions.map((one) => ({ text: `${one}(`, label: one, kind: words.function }));
    const isKeyword = /^[A-Z]{2,}$/.test(word); // capitals are keywords, as a rule
    return [word, [...(isKeyword ? sql : []), ...columns(mentioned), ...tables, ...sql, ...functions]];
  }

  function look(all = false) {
    const before = area.value.slice(0, area.selectionStart);
    const [word, offered] = candidates(before, area.value);
    const wanted = word.toLowerCase();
    const seen = new Set();
    found = [];
    for (const one of offered) {
      if (!one.label.toLowerCase().startsWith(wanted) || seen.has(one.text)) continue;
      seen.add(one.text);
      found.push(one);
      if (found.length === MOST) break;
    }
    begin = before.length - word.length;
    const nothingNew = found.length === 1 && found[0].text === word;
    const isAsked = all || word.length > 0 || before.endsWith(".");
    if (!isAsked || !found.length || nothingNew) close();
    else show();
  }

  function show() {
    active = -1;
    area.removeAttribute("aria-activedescendant");
    list.replaceChildren(...found.map((one, index) => {
      const option = document.createElement("li");
      option.id = `suggestion-${index}`;
      option.setAttribute("role", "option");
      option.setAttribute("aria-selected", "false");
      const name = document.createElement("span");
      name.textContent = one.label;
      const kind = document.createElement("span");
      kind.textContent = one.more ? `${one.kind} · ${one.more}` : one.kind;
      option.append(name, kind);
      return option;
    }));
    list.hidden = false;
    place();
    told.textContent = words.suggestions.replace("{n}", found.length);
  }

  /** Below the caret: all lines are as high, and all characters as wide. */
  function place() {
    const style = getComputedStyle(area);
    const canvas = document.createElement("canvas").getContext("2d");
    canvas.font = `${style.fontSize} ${style.fontFamily}`;
    const lines = area.value.slice(0, begin).split("\n");
    const left = canvas.measureText(lines.at(-1)).width + parseFloat(style.paddingLeft) - area.scrollLeft;
    const top = lines.length * parseFloat(style.lineHeight) + parseFloat(style.paddingTop) - area.scrollTop;
    list.style.left = `${Math.max(0, Math.min(left, area.clientWidth - list.offsetWidth))}px`;
    list.style.top = `${area.offsetTop + Math.min(top, area.clientHeight) + 2}px`;
  }

  function close() {
    list.hidden = true;
    active = -1;
    area.removeAttribute("aria-activedescendant");
    told.textContent = "";
  }

  function move(by) {
    active = (active + by + found.length) % found.length;
    for (const [index, option] of Array.from(list.children).entries()) {
      option.setAttribute("aria-selected", String(index === active));
    }
    area.setAttribute("aria-activedescendant", `suggestion-${active}`);
    list.children[active].scrollIntoView({ block: "nearest" });
  }

  function take(index) {
    area.setRangeText(found[index].text, begin, area.selectionStart, "end");
    close();
    area.focus();
  }

  area.addEventListener("input", () => look());
  area.addEventListener("blur", close);
  area.addEventListener("scroll", () => { if (!list.hidden) place(); });
  list.addEventListener("pointerdown", (event) => {
    event.preventDefault(); // the text area keeps the focus
    const option = event.target.closest("[role=option]");
    if (option) take(Array.from(list.children).indexOf(option));
  });
  area.addEventListener("keydown", (event) => {
    if (event.key === " " && event.ctrlKey) {
      event.preventDefault();
      look(true);
      return;
    }
    if (list.hidden) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (active < 0 && event.key === "ArrowUp") active = 0;
      move(event.key === "ArrowDown" ? 1 : -1);
    } else if ((event.key === "Tab" && !event.shiftKey) || (event.key === "Enter" && active >= 0 && !event.ctrlKey)) {
      event.preventDefault();
      take(Math.max(active, 0));
    } else if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      close();
    } else if (event.key === "ArrowLeft" || event.key === "ArrowRight" || event.key === "Home" || event.key === "End") {
      close();
    }
  });

  return {
    learn(known) {
      names = known;
      keywords = new Set(known.keywords);
    },
    isOpen: () => !list.hidden,
    close,
  };
}
