// What several panes need.

const PAUSE = 250;

/** The work, once nothing has asked for it for a moment; `now` does it at once, in place of what waits. */
export function later(work) {
  let waiting;
  const wait = () => {
    clearTimeout(waiting);
    waiting = setTimeout(work, PAUSE);
  };
  wait.now = () => {
    clearTimeout(waiting);
    return work();
  };
  return wait;
}

/** Fill a select; what was chosen stays where it is offered still. */
export function offer(select, options) {
  const wanted = select.value || select.dataset.chosenValue;
  select.replaceChildren(...options.map((one) => new Option(one, one)));
  if (options.includes(wanted)) select.value = wanted;
}

/** Tell what is wrong beside the field with that id. @returns {boolean} whether there is such a field. */
export function told(id, text) {
  const wrong = document.getElementById(`${id}-wrong`);
  if (!wrong) return false;
  wrong.textContent = text;
  wrong.hidden = false;
  document.getElementById(id)?.setAttribute("aria-invalid", "true");
  return true;
}
