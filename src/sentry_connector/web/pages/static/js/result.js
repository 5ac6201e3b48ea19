// A result as a table, a page of rows at a time. Whatever a cell holds, it is text.

const PAGE = 100;
const SHORT = 60;
const NUMBERS = /^(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT|FLOAT|DOUBLE|u?int|decimal)/;

export const isNumber = (column) => NUMBERS.test(column.type);
export const isTime = (column) => /^(DATE|TIMESTAMP)/.test(column.type);

/** A value as one line of text. */
export const textOf = (value) => (typeof value === "object" ? JSON.stringify(value) : String(value));

/** A value as it is read best: JSON with a line for each field. */
function wholeOf(value) {
  if (typeof value === "object") return JSON.stringify(value, null, 2);
  if (typeof value === "string" && /^\s*[[{]/.test(value)) {
    try {
      return JSON.stringify(JSON.parse(value), null, 2);
    } catch {
      return value;
    }
  }
  return String(value);
}

/**
 * Show results in a table.
 * @param {object} parts table, previous, next, shown: its elements; open(name, text): shows a whole value.
 * @param {object} words shown, value.
 * @param {function(number): string} number as the reader's language has it.
 */
export function resultIn({ table, previous, next, shown, open }, words, number) {
  let result = { columns: [], rows: [] };
  let first = 0;

  function cell(value, column) {
    const made = document.createElement("td");
    if (value === null) {
      made.textContent = "NULL";
      made.className = "nothing";
      return made;
    }
    if (isNumber(column)) made.className = "number";
    const text = textOf(value);
    if (text.length <= SHORT && !/[\n\r]/.test(text) && !/^\s*[[{]/.test(text)) {
      made.textContent = text;
      return made;
    }
    const more = document.createElement("button");
    more.type = "button";
    const line = text.slice(0, SHORT).replaceAll(/\s+/g, " ");
    more.textContent = text.length > SHORT ? `${line}…` : line;
    more.setAttribute("aria-haspopup", "dialog");
    more.addEventListener("click", () => open(words.value.replace("{name}", column.name), wholeOf(value)));
    made.append(more);
    return made;
  }

  function page() {
    const last = Math.min(first + PAGE, result.rows.length);
    const body = result.rows.slice(first, last).map((row) => {
      const line = document.createElement("tr");
      line.append(...row.map((value, index) => cell(value, result.columns[index])));
      return line;
    });
    table.tBodies[0].replaceChildren(...body);
    shown.textContent = words.shown.replace("{first}", number(first + 1)).replace("{last}", number(last)).replace("{n}", number(result.rows.length));
    previous.disabled = first === 0;
    next.disabled = last === result.rows.length;
    shown.parentElement.hidden = result.rows.length <= PAGE;
  }

  function turn(by) {
    first += by;
    page();
    table.parentElement.scrollTop = 0;
  }

  previous.addEventListener("click", () => turn(-PAGE));
  next.addEventListener("click", () => turn(PAGE));

  return {
    show(answer) {
      result = answer;
      first = 0;
      const head = document.createElement("tr");
      head.append(...answer.columns.map((column) => {
        const made = document.createElement("th");
        made.scope = "col";
        if (isNumber(column)) made.className = "number";
        const type = document.createElement("span");
        type.className = "type";
        type.textContent = column.type;
        made.append(column.name, type);
        return made;
      }));
      table.tHead.replaceChildren(head);
      page();
    },
  };
}
