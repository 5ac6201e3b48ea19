"""Project Feedback: what users wrote about the errors of a project."""

from __future__ import annotations

from sentry_connector.reports import projects_issues
from sentry_connector.reports.model import Endpoint, Grain, Menu, Need, Ranking, Report, Timeline, text, timestamp
from sentry_connector.reports.shared_columns import ORGANIZATION, PROJECT, top_fields

_ISSUE = (
    text("issue_id", "Id of the issue that the feedback is about.", "issue/id"),
    text("issue_short_id", "Short id of that issue, such as SHOP-4A.", "issue/shortId"),
    text("issue_title", "Title of that issue.", "issue/title"),
    text("issue_status", "State of that issue: unresolved, resolved or ignored.", "issue/status"),
    text("issue_permalink", "Address of that issue in Sentry.", "issue/permalink"),
)
_ISSUE_TAKEN = {source for column in _ISSUE for source in column.sources}
_ISSUE_FIELDS = [
    f"issue/{name}" for name in top_fields(projects_issues.REPORT.columns, projects_issues.REPORT.left_out)
]

REPORT = Report(
    slug="project-feedback",
    name="Project Feedback",
    about="Crash reports that users wrote about the errors of a project, one row per report.",
    scope="project:read",
    grain=Grain.PROJECT,
    # An empty status asks for all; without it Sentry leaves out feedback about resolved and ignored issues.
    endpoints=(Endpoint(path="/projects/{organization}/{project}/user-feedback/", params=(("status", ""),)),),
    menus={Menu.PROJECTS: Need.REQUIRED, Menu.DATES: Need.OPTIONAL},
    columns=(
        *ORGANIZATION,
        *PROJECT,
        text("feedback_id", "Id of the feedback.", "id"),
        text("name", "Name that the user gave."),
        text("email", "Email address that the user gave."),
        text("comments", "What the user wrote."),
        timestamp("date_created", "When the feedback was sent, UTC."),
        text("event_id", "Id of the event that the feedback is about: 32 hexadecimal digits.", "eventID"),
        *_ISSUE,
        text("user_id", "Id that the application gave the person.", "user/identifier"),
        text("user_email", "Email address of the person, as the application knows it.", "user/email"),
        text("user_username", "User name of the person, as the application knows it.", "user/username"),
        text("user_ip_address", "IP address of the person, IPv4 or IPv6.", "user/ipAddress"),
        text("user_name", "Display name of the person, as the application knows it.", "user/name"),
    ),
    key=("project_id", "feedback_id"),
    time_column="date_created",
    immutable_time=True,
    unchecked="Sentry gives no other count of them.",
    left_out={
        "event": "It repeats eventID.",
        "user/id": "The number of the server's own row on old servers; otherwise it repeats user/identifier.",
        "user/tagValue": "It repeats the first of the person's id, user name, email and IP address.",
        "user/hash": "A hash of the same.",
        "user/avatarUrl": "A picture made from the email address.",
        "user/dateCreated": "When the server made its row for the person; null on current servers.",
    }
    | {path: "The Projects Issues report holds it." for path in _ISSUE_FIELDS if path not in _ISSUE_TAKEN},
    charts=(
        Timeline(title="Feedback over time", time="date_created"),
        Ranking(title="Feedback by project", by="project"),
        Ranking(title="Issues with the most feedback", by="issue_id", label="issue_title"),
    ),
    notes=(
        "Feedback of all statuses, about unresolved, resolved and ignored issues alike.",
        "What the feedback widget collects is not here: Sentry keeps it as issues of the category feedback.",
    ),
    docs="https://docs.sentry.io/api/projects/list-a-projects-user-feedback/",
)
