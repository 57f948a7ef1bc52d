"""What tells of win-backs in one installation: tasks in its CRM, signed calls, or nothing."""

from __future__ import annotations

from lossnlp.taxonomy import Taxonomy, get_default_taxonomy
from serving.crm.connect import connect_crm
from serving.crm.protocol import Crm
from serving.crm.tasks import TaskCrm
from serving.door_settings import reveal
from serving.errors import ConfigurationError
from serving.outgoing import open_client
from serving.reports.winback_notices import Channel, CrmTasks, Reminders, SignedCalls
from serving.reports.winback_settings import load_winback_settings
from serving.reports.winbacks import open_winbacks
from serving.settings import Settings
from serving.store import Database


def open_reminders(
    settings: Settings, database: Database, *, crm: Crm | None = None, taxonomy: Taxonomy | None = None
) -> Reminders:
    """Gives what tells of win-backs, as the installation has set it; without a channel it has nothing to do.

    Args:
        settings: What the installation has set.
        database: Where the list stands.
        crm: The connected CRM; None connects the one that the settings name, if they name one.
        taxonomy: The labels there are; None takes those that ship.

    Raises:
        ConfigurationError: A setting cannot be used, or the CRM takes no tasks from us.
    """
    options = load_winback_settings()
    if crm is None and settings.crm is not None:
        crm = connect_crm(settings)
    channels: list[Channel] = [_crm_tasks(crm)] if options.winback_tasks else []
    if url := options.get_reminder_url(env=settings.env):
        secret = reveal(options.reminder_secret)[0]
        channels.append(SignedCalls(open_client(), url, secret))
    year = settings.fiscal_year_starts
    listed = open_winbacks(taxonomy or get_default_taxonomy(), fiscal_year_starts=year)
    return Reminders(database, listed, channels, crm)


def _crm_tasks(crm: Crm | None) -> CrmTasks:
    if isinstance(crm, TaskCrm):
        return CrmTasks(crm)
    cause = "no CRM is connected" if crm is None else f"tasks in the CRM '{crm.name}' are not supported"
    raise ConfigurationError(f"LOSSNLP_WINBACK_TASKS: {cause}; unset it.", field="LOSSNLP_WINBACK_TASKS")
