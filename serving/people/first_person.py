"""A first person for the walk through the demo: an admin whose password stands in a file that only this user can read."""

from __future__ import annotations

import secrets
from pathlib import Path

from serving.people.accounts import Access, NewPerson, add_person, find_person, set_password
from serving.secret_values import write_secret
from serving.store import Database, now

DEMO_EMAIL = "demo@localhost"
PASSWORD_FILE = "demo-password"  # noqa: S105 (the name of the file)


def make_demo_person(database: Database, var_dir: Path) -> Path:
    """Gives the file with the password of the demo's admin; the first call makes both.

    Args:
        database: Migrated.
        var_dir: Folder of the files that the service makes.
    """
    path = var_dir / PASSWORD_FILE
    with database.writing() as session:
        person = find_person(session, DEMO_EMAIL)
        if person is not None and path.exists():
            return path
        password = secrets.token_urlsafe(18)
        write_secret(path, password)
        if person is None:
            new = NewPerson(DEMO_EMAIL, "Demo", Access("admin"), password)
            add_person(session, new, at=now())
        else:
            set_password(session, person, password)
        session.commit()
    return path
