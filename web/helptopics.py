"""The topics of the help, and which of them helps with which page of ours."""
from __future__ import annotations

from web.language import N_

# Of each: its name, its icon, what it answers. The text is templates/_help_<topic>.html.
TOPICS = {
    "first-day": (N_("The first day"), "bell", N_("What to do once the box is plugged in")),
    "pop": (N_("When somebody rings"), "phone", N_("What rises on the screen, and how to use it")),
    "today": (N_("Today and the history"), "book", N_("Who is owed a call, and how to find an old one")),
    "tocall": (N_("Promised calls"), "clock", N_("Nobody is forgotten who was promised a call")),
    "lists": (N_("Lists to call"), "people", N_("One number after the other, with script and questions")),
    "missed-texts": (N_("Texts to missed callers"), "missed", N_("When a rule writes, and when it never does")),
    "texts": (N_("Conversations"), "text", N_("Answers, quick answers, STOP, unknown texts")),
    "group-texts": (N_("One text to many"), "people", N_("Groups, schedules, costs, a try first")),
    "customers": (N_("Customers"), "tag", N_("Cards, groups, VIPs, blocked callers")),
    "import": (N_("Bring in your customers"), "down", N_("From Excel, CSV or a telephone")),
    "recordings": (N_("Recordings"), "wave", N_("Listen, mark, keep, and when they go")),
    "law": (N_("Recording and the law"), "shield", N_("What callers must be told")),
    "statistics": (N_("Statistics"), "up", N_("What the figures count, and what not")),
    "backups": (N_("Backups"), "shield", N_("A copy that is proven, and how to go back")),
    "hours": (N_("Hours and holidays"), "clock", N_("When you are open, and days that differ")),
    "settings": (N_("Settings"), "gear", N_("What can be changed, and by whom")),
    "users": (N_("Users"), "people", N_("Owner, staff, installer; passwords")),
    "languages": (N_("Languages"), "talk", N_("Each reader's own")),
    "security": (N_("Safe by itself"), "shield", N_("The warning of the browser, lost passwords")),
    "diagnostics": (N_("When something is wrong"), "help", N_("Findings, and a file for who helps")),
}
# Beginnings of our addresses and the topic of their help; the first that fits.
PAGES = (("/tocall/list", "lists"), ("/tocall/entry", "lists"), ("/tocall", "tocall"), ("/settings/hours", "hours"),
         ("/settings/recording", "law"), ("/settings/texts", "missed-texts"), ("/settings/pop", "pop"),
         ("/doors", "settings"), ("/box", "settings"),
         ("/settings", "settings"), ("/rule", "missed-texts"), ("/campaign", "group-texts"), ("/texts", "texts"),
         ("/templates", "texts"), ("/optouts", "texts"), ("/sims", "texts"), ("/customers/import", "import"),
         ("/import", "import"), ("/customer", "customers"), ("/group", "customers"), ("/recording", "recordings"),
         ("/statistics", "statistics"), ("/backup", "backups"), ("/user", "users"), ("/account", "users"),
         ("/changes", "users"), ("/certificate", "security"), ("/history", "today"), ("/call", "today"),
         ("/about", "diagnostics"))


def topic_of(path: str) -> str:
    """The topic that helps with a page of ours; "" for what has none."""
    if path == "/":
        return "today"
    return next((topic for start, topic in PAGES if path.startswith(start)), "")
