"""Puts another bundle in service, or the one before: the source is pointed at it, and who did it and why is kept."""

from __future__ import annotations

from dataclasses import dataclass

from lossnlp.errors import BundleError, LossNlpError
from serving.model.history import Choice, add_choice, find_before, find_choices
from serving.model.loading import LoadBundle
from serving.model.sources import BundleSource, Named
from serving.store import Database, now
from serving.tables import ModelChoiceRow


class SwitchError(LossNlpError):
    """Says that the model in service cannot be switched."""

    code = "cannot_switch"


@dataclass(frozen=True, slots=True)
class Switch:
    """Switches what the processes of an installation follow; each puts it in service when it looks next.

    Args:
        source: Names the bundle in service.
        setting: What LOSSNLP_MODEL says.
        database: Where choices are kept.
        load: Gives the assessor of a bundle folder: what cannot be loaded here is not put in service.
    """

    source: BundleSource
    setting: str
    database: Database
    load: LoadBundle

    def use(self, wanted: str, *, by: str, reason: str) -> ModelChoiceRow:
        """Gives the choice after pointing the source at a bundle, which is checked and loaded first.

        Args:
            wanted: Path of a bundle, which is copied into the folder of bundles if it stands elsewhere; or the name or model version of
                one that stands there; or a version of the registry.
            by: Who does it.
            reason: Why.

        Raises:
            BundleError: There is no such bundle, or it is not whole.
            ConfigurationError: LOSSNLP_MODEL names one bundle alone.
            SourceAwayError: The registry cannot be asked.
        """
        return self._point(self.source.find_bundle(wanted), "use", by=by, reason=reason)

    def roll_back(self, *, by: str, reason: str) -> ModelChoiceRow:
        """Gives the choice after pointing the source at the bundle that was in service before.

        Args:
            by: Who does it.
            reason: Why.

        Raises:
            SwitchError: None was.
            BundleError: It is not there any more, or not whole.
            ConfigurationError: LOSSNLP_MODEL names one bundle alone.
            SourceAwayError: The registry cannot be asked.
        """
        with self.database.reading() as session:
            before = find_before(find_choices(session, self.setting), self._find_reference())
            if before is None:
                raise SwitchError("No other model was in service before; name one with `lossnlp-serve model use`.")
            reference = before.reference
        return self._point(Named(reference), "rollback", by=by, reason=reason)

    def _point(self, named: Named, kind: str, *, by: str, reason: str) -> ModelChoiceRow:
        """Gives the choice; it is kept if and only if the source was pointed."""
        version = self.load(self.source.fetch(named)).model_version
        choice = Choice(named.reference, version, kind, by, reason)
        with self.database.writing() as session:
            row = add_choice(session, self.setting, choice, at=now())
            self.source.point(named)
            session.commit()
            return row

    def _find_reference(self) -> str:
        """Gives what the source names now; what cannot be told is none of those before."""
        try:
            return self.source.find_named().reference
        except BundleError:
            return ""
