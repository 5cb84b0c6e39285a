"""Messages in another language than English, as a login with another default language gets them.

Microsoft Learn, "SET LANGUAGE": the session's language decides in which one sys.messages are told, and sets DATEFORMAT
and DATEFIRST. Only the messages that clients tell apart by their words are here.
"""

from __future__ import annotations

import re

from .errors import SqlError

ENGLISH, GERMAN = "us_english", "Deutsch"
# Name -> sys.syslanguages: langid, dateformat, datefirst.
LANGUAGES = {ENGLISH: (0, "mdy", 7), GERMAN: (1, "dmy", 1)}
_GERMAN = {
    229: (
        r"The (.*) permission was denied on the object (.*), database (.*), schema (.*)\.",
        r"Die \1-Berechtigung wurde für das \2-Objekt, \3-Datenbank, Schema \4, verweigert.",
    ),
    1205: (
        r"Transaction \(Process ID (\d+)\) .*",
        r"Die Transaktion (Prozess-ID \1) befand sich auf Sperre Ressourcen aufgrund eines anderen Prozesses in einer "
        r"Deadlocksituation und wurde als Deadlockopfer ausgewählt. Führen Sie die Transaktion erneut aus.",
    ),
    18456: (r"Login failed for user (.*)\.", r"Fehler bei der Anmeldung für den Benutzer \1."),
}


def told(problem: SqlError, language: str) -> SqlError:
    """The same error in this language."""
    if language != GERMAN or problem.number not in _GERMAN:
        return problem
    pattern, text = _GERMAN[problem.number]
    return SqlError(problem.number, re.sub(pattern, text, problem.message), problem.severity, problem.state)
