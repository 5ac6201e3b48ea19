// What the schedule's controls say, as the rule that a DataSet keeps. Pure.

const CRON = /^[\d*/,\-]+( +\S+){4}$/;
const hours = (text) => (text.trim() ? ` ${text.trim()}` : "");
const minutes = (text) => `${text.trim()}m`;

/** Of the basic ones. */
export function basicRule({ repeats, minutes: step, hours: active, time, days, day }) {
  switch (repeats) {
    case "every":
      return `every ${minutes(step)}`;
    case "hourly":
      return `hourly${hours(active)}`;
    case "weekly":
      return `weekly ${days.join(",")} ${time}`;
    case "monthly":
      return `monthly ${day} ${time}`;
    case "manual":
      return "manual";
    default:
      return `${repeats} ${time}`;
  }
}

/** Of the advanced ones. */
export function advancedRule({ months, days, dates, nth, weekdays, when, times, minutes: step, hours: active }) {
  const inDay = { times: times.trim(), hourly: `hourly${hours(active)}`, every: `every ${minutes(step)}${hours(active)}` }[when];
  const onDays = {
    daily: when === "times" ? "daily" : "",
    weekly: `weekly ${weekdays.join(",")}`,
    monthly: `monthly ${dates.trim()}`,
    nth: `monthly ${nth.join(",")} ${weekdays.join(",")}`,
  }[days];
  return [months.join(","), onDays, inDay].filter(Boolean).join(" ");
}

/** Of a rule that is written out; five fields are cron's. */
export function writtenRule(text) {
  const rule = text.trim();
  return CRON.test(rule) ? `cron: ${rule}` : rule;
}
