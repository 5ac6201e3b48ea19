// What every page has.

import "./choices.js";
import "./dialogs.js";
import "./forms.js";
import "./live.js";
import "./palette.js";
import "./times.js";
import { toast } from "./toasts.js";

// Parts of pages that could not be had: htmx leaves what is there as it is.
document.addEventListener("htmx:response:error", () => toast(document.body.dataset.failed, "bad"));
document.addEventListener("htmx:error", () => toast(document.body.dataset.failed, "bad"));
