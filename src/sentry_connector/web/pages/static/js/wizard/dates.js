// What the date menus say: as options of the API's /days, and as `duration` of a DataSet's details. Pure.

const SPECIFIC = "Specific Date";
const whole = (text) => (/^\d+$/.test(text.trim()) ? Number(text) : text.trim());
const day = (kind, date, back) => (kind === SPECIFIC ? date : whole(back));

/**
 * @param {object} chosen menu → what is chosen in it.
 * @returns {object} options in the words of the command line.
 */
export function optionsOf(chosen) {
  switch (chosen.Duration) {
    case "Single Date":
      return chosen["Report Date"] === SPECIFIC ? { date: chosen["Select Specific Date"] } : { days_back: chosen["Days Back"] };
    case "Date Range":
      return {
        ...(chosen["Start Date"] === SPECIFIC ? { start: chosen["Select Specific Start Date"] } : { start_days_back: chosen["Days Back to Start From"] }),
        ...(chosen["End Date"] === SPECIFIC ? { end: chosen["Select Specific End Date"] } : { end_days_back: chosen["Days Back to End At"] }),
      };
    case "Since Last Successful Run":
      return { since_last_run: true, ...(chosen.Overlap ? { overlap: chosen.Overlap } : {}) };
    default:
      return { all_available: true };
  }
}

const UNITS = { s: 1, m: 60, h: 3600, d: 86400 };

function seconds(text) {
  const [, number, unit] = /^(\d+)([smhd])$/.exec(text.trim()) ?? [];
  return number === undefined ? text : Number(number) * UNITS[unit];
}

/** The same as `details.duration` holds it. */
export function durationOf(chosen) {
  switch (chosen.Duration) {
    case "Single Date":
      return { duration: "single_date", day: day(chosen["Report Date"], chosen["Select Specific Date"], chosen["Days Back"]) };
    case "Date Range":
      return {
        duration: "date_range",
        start: day(chosen["Start Date"], chosen["Select Specific Start Date"], chosen["Days Back to Start From"]),
        end: day(chosen["End Date"], chosen["Select Specific End Date"], chosen["Days Back to End At"]),
      };
    case "Since Last Successful Run":
      return { duration: "since_last_run", ...(chosen.Overlap ? { overlap: seconds(chosen.Overlap) } : {}) };
    default:
      return { duration: "all_available" };
  }
}
