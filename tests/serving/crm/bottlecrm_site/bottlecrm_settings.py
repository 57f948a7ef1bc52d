"""Settings of a BottleCRM for tests: one SQLite file, no broker, no mail, no migrations (they take over two minutes)."""

from __future__ import annotations

import os
from datetime import timedelta

from crm.settings import *  # noqa: F403

DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["BOTTLECRM_SQLITE"]}}
CELERY_BROKER_URL, CELERY_RESULT_BACKEND, CELERY_TASK_ALWAYS_EAGER = "memory://", "cache+memory://", True
SIMPLE_JWT = {**SIMPLE_JWT, "ACCESS_TOKEN_LIFETIME": timedelta(days=1)}  # noqa: F405
MAILERS = {"default": {"BACKEND": "django.core.mail.backends.dummy.EmailBackend"}}


class _NoMigrations(dict[str, None]):
    def __contains__(self, _app: object) -> bool:
        return True

    def __getitem__(self, _app: str) -> None:
        return None


MIGRATION_MODULES = _NoMigrations()
