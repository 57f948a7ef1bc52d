"""How long to wait before a lost buyer is called back, by reason, where nobody has said when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import yaml
from dateutil.relativedelta import relativedelta
from pydantic import Field, TypeAdapter, ValidationError

from lossnlp.deal import Frozen
from serving.errors import ConfigurationError

_SETTING = "LOSSNLP_WINBACK_WINDOWS"
_MAPPING = TypeAdapter(dict[str, Any])


class Window(Frozen):
    """How long to wait after a loss.

    Args:
        months: 1 to 60; None where nobody is called back.
        because: Why so long, in one sentence for people.
    """

    months: Annotated[int, Field(ge=1, le=60)] | None
    because: str = ""

    def due_on(self, lost_on: date) -> date | None:
        """Gives the day to call back; one that its month does not have is the last one of it."""
        return None if self.months is None else lost_on + relativedelta(months=self.months)


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows of an installation.

    Args:
        by_reason: Window by reason code.
        otherwise: The one of every other reason.
    """

    by_reason: Mapping[str, Window]
    otherwise: Window

    def get(self, reason: str) -> Window:
        """Gives the window of a reason."""
        return self.by_reason.get(reason, self.otherwise)

    def spans(self) -> Iterator[tuple[int, tuple[str, ...]]]:
        """Gives each length in months with the reasons that have it, shortest first."""
        for months in sorted({window.months for window in self.by_reason.values() if window.months is not None}):
            yield months, tuple(code for code, window in self.by_reason.items() if window.months == months)


def last_loss_due_by(day: date, months: int) -> date:
    """Gives the last day of loss whose call is due on or before a day.

    Args:
        day: The day of the call.
        months: Length of the window.
    """
    start = day - relativedelta(months=months)
    ends_month = (day + timedelta(days=1)).day == 1
    return start + relativedelta(day=31) if ends_month else start


@cache
def read_windows(path: Path | None, codes: tuple[str, ...]) -> Windows:
    """Gives the windows that ship, with those of a company's own file in their place.

    Args:
        path: YAML file of the company, as the setting names it; None keeps what ships.
        codes: The reasons that there are.

    Raises:
        ConfigurationError: The file cannot be read, or names an unknown reason or a length that cannot be.
    """
    shipped = _parse(resources.files("serving.reports").joinpath("winback_windows.yaml").read_text(encoding="utf-8"))
    own = _Own() if path is None else _read_own(path, codes)
    return Windows({**shipped.reasons, **own.reasons}, own.otherwise or shipped.otherwise or Window(months=None))


class _Own(Frozen):
    otherwise: Window | None = None
    reasons: Mapping[str, Window] = {}


def _read_own(path: Path, codes: tuple[str, ...]) -> _Own:
    try:
        own = _parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        raise _unusable("the file cannot be read") from None
    except yaml.YAMLError:
        raise _unusable("the file is no YAML") from None
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        raise _unusable(f"{'.'.join(map(str, fault['loc'])) or 'the file'}: {fault['msg']}") from None
    for code in own.reasons.keys() - set(codes):
        raise _unusable(f"'{code}' is none of the reasons {', '.join(codes)}")
    return own


def _parse(text: str) -> _Own:
    """Gives the windows of a file; a plain number stands for its months."""
    loaded = yaml.safe_load(text)
    found = _MAPPING.validate_python({} if loaded is None else loaded)
    reasons = _MAPPING.validate_python(found.get("reasons") or {})
    otherwise = _spread(found["otherwise"]) if "otherwise" in found else None
    return _Own.model_validate(
        {"otherwise": otherwise, "reasons": {code: _spread(window) for code, window in reasons.items()}}
    )


def _spread(window: object) -> object:
    return {"months": window} if window is None or isinstance(window, int) else window


def _unusable(cause: str) -> ConfigurationError:
    return ConfigurationError(f"{_SETTING}: {cause}.", field=_SETTING)
