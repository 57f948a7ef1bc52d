"""The commands of `lossnlp-serve`."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer

from serving.app import create_app, require_start
from serving.audit.cli_audit import audit
from serving.audit.policies import note_policies
from serving.auth import with_first_key
from serving.backup.cli_backup import back_up, restore
from serving.cli_backfill import run_backfill
from serving.cli_crm import crm
from serving.cli_keys import keys
from serving.cli_record import show_record
from serving.cli_report import write_report
from serving.cli_top_five import propose_top_five
from serving.cli_verdicts import verdicts
from serving.cli_winbacks import winbacks
from serving.cli_write_backs import write_backs
from serving.closed_loop import open_closed_loop, run_following
from serving.crm import demo
from serving.demo import run_demo
from serving.drift.command import show_drift
from serving.load.processes import count_processes, serve_together
from serving.logs import configure_logs
from serving.model.cli_model import model
from serving.model.cli_reassess import run_reassessment
from serving.model.following import open_model
from serving.people.cli_people import people
from serving.privacy.cli_privacy import access_export, erase, run_retention_now
from serving.safe_start import require_safe_address, require_safe_settings
from serving.schema import migrate, open_database
from serving.server import Wire, open_port, serve
from serving.settings import load_settings
from serving.taxonomy_change.cli_taxonomy import taxonomy
from serving.worker import stop_on_signal

app = typer.Typer(help="The service around lossnlp.", no_args_is_help=True, add_completion=False)
app.add_typer(keys, name="keys")
app.add_typer(audit, name="audit")
app.add_typer(write_backs, name="write-backs")
app.add_typer(crm, name="crm")
app.add_typer(people, name="people")
app.add_typer(winbacks, name="winbacks")
app.add_typer(verdicts, name="verdicts")
app.add_typer(model, name="model")
app.add_typer(taxonomy, name="taxonomy")
app.add_typer(erase, name="erase")
app.add_typer(access_export, name="access-export")
app.command("retention")(run_retention_now)
app.command("record")(show_record)
app.command("backup")(back_up)
app.command("restore")(restore)
app.command("backfill")(run_backfill)
app.command("reassess")(run_reassessment)
app.command("top-five")(propose_top_five)
app.command("report")(write_report)
app.command("drift")(show_drift)

Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")]


Processes = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=256,
        help="Processes that answer on the port, 0 for one a processor that the service may use; else LOSSNLP_PROCESSES.",
    ),
]


@app.command("run")
def run_service(host: Host = "127.0.0.1", port: Port = 8000, processes: Processes = None) -> None:
    """Starts the service."""
    settings = with_first_key(load_settings())
    if processes is not None:
        settings = settings.model_copy(update={"processes": processes})
    configure_logs(settings)
    require_safe_settings(settings)
    require_safe_address(settings, host)
    with closing(open_database(settings.database_url)) as database:
        require_start(settings, database)
        note_policies(database, settings)
    listener, wire = open_port(host, port), Wire.of(settings)
    if (count := count_processes(settings)) > 1:
        serve_together(listener, count, wire=wire)
    else:
        serve(create_app(settings, assessor=open_model(settings)), listener, wire)


@app.command("worker")
def run_worker(
    *,
    once: Annotated[bool, typer.Option("--once", help="Do what is due now, then stop.")] = False,
    poll: Annotated[
        bool, typer.Option("--poll/--no-poll", help="Ask the CRM for lost deals from time to time.")
    ] = True,
) -> None:
    """Takes in the deals that the CRM tells of and sends write-backs to it, the CRM that LOSSNLP_CRM names."""
    settings = load_settings()
    configure_logs(settings)
    require_safe_settings(settings)
    with closing(open_database(settings.database_url)) as database:
        note_policies(database, settings)
    if once:
        open_closed_loop(settings).run_once(poll=poll)
    else:
        run_following(settings, stop_on_signal(), poll=poll)


@app.command("migrate")
def migrate_database() -> None:
    """Brings the database up to date; makes an SQLite file if there is none."""
    revision = migrate(load_settings().database_url)
    typer.echo(f"The database is at revision {revision}.", err=True)


@app.command("demo")
def walk_demo(
    url: Annotated[str | None, typer.Option(help="Use the service that answers here instead of starting one.")] = None,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    *,
    keep_serving: Annotated[
        bool, typer.Option("--serve/--no-serve", help="Keep answering afterwards, until Ctrl-C.")
    ] = True,
) -> None:
    """Classifies the demo CRM's lost deals through the endpoint, writes the accepted values back and shows them."""
    settings = load_settings().model_copy(update={"crm": "demo", "env": "development", "own_names": (demo.SELLER,)})
    configure_logs(settings.model_copy(update={"log_level": "warning"}))
    run_demo(with_first_key(settings), url=url, address=(host, port), keep_serving=keep_serving)
