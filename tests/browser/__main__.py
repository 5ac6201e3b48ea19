"""Prints what axe finds: `python -m tests.browser`, every page in both themes at three widths; `… PAGE …` only these."""

from __future__ import annotations

import sys
from collections import Counter

from tools import pages, served

from tests.browser.looks import LOOKS, SIZES, THEMES, in_look


def main() -> int:
    """One line for each page; 1 where anything is wrong with one."""
    templates = sys.argv[1:] or pages.templates()
    width = max(map(len, templates))
    looks = [f"{look.size}, {look.theme}" for look in LOOKS]
    print("".join([" " * width, *(f"{look:>15}" for look in looks)]))
    found: Counter[str] = Counter()
    with served.filled() as (url, values), served.chromium() as browser:
        context = browser.new_context(base_url=url, locale="en-GB", timezone_id="UTC")
        who = {"name": pages.ADMIN, "password": pages.PASSWORD}
        context.request.post("/api/v1/login", data=who, fail_on_status_code=True)
        page = context.new_page()
        for template in templates:
            wrong = [in_look(page, pages.address(template, values), look) for look in LOOKS]
            found[template] = sum(map(len, wrong))
            print(f"{template:{width}}" + "".join(f"{len(one):>15}" for one in wrong), flush=True)
            for line in (line for one in wrong for line in one):
                print(line, file=sys.stderr)
    print(
        f"\n{len(templates)} pages × {len(THEMES)} themes × {len(SIZES)} widths: {found.total()} violations of the rules of"
        " axe for WCAG 2.2 A and AA and best practice; a page that is wider than its window counts as one."
    )
    return 1 if found.total() else 0


if __name__ == "__main__":
    sys.exit(main())
