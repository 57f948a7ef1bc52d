"""Passwords: what counts as one, and their Argon2id hashes.

Source: NIST SP 800-63B-4, section 3.1.1.2 (length, Unicode, no rules on kinds of characters); OWASP Password Storage Cheat
Sheet (Argon2id with 19 MiB, two passes, one lane).
"""

from __future__ import annotations

import unicodedata
from functools import cache
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from lossnlp.errors import LossNlpError

MIN_CHARS = 15
MAX_CHARS = 200
_FEWEST_DIFFERENT = 5
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# Whoever sends many sign-ins at once takes neither all processors nor all memory.
_AT_ONCE = BoundedSemaphore(2)


class AccountError(LossNlpError):
    """Says that an account cannot be made or changed like this; `field` names the input at fault."""

    code = "bad_account"


def require_good_password(password: str, *, email: str) -> None:
    """Passes when this may be the password of an account.

    Raises:
        AccountError: It is too short or too long, repeats a few characters, or holds the name in front of the e-mail's @.
    """
    plain = _plain(password)
    if not MIN_CHARS <= len(plain) <= MAX_CHARS:
        raise AccountError(
            f"A password has {MIN_CHARS} to {MAX_CHARS} characters; several words do well.", field="password"
        )
    own_name = email.partition("@")[0].casefold()
    if len(set(plain)) < _FEWEST_DIFFERENT or (len(own_name) > 3 and own_name in plain.casefold()):
        message = (
            "This password is easy to guess; take one without the e-mail's own name and with more different characters."
        )
        raise AccountError(message, field="password")


def hash_password(password: str) -> str:
    """Gives the hash that is stored."""
    with _AT_ONCE:
        return _HASHER.hash(_plain(password))


def is_right_password(password: str, stored: str | None) -> bool:
    """Says whether the password is the one of the stored hash; without a hash it is not, after as much work."""
    compared = _stand_in()  # also where it is not needed, so that the first call alone is slower, whoever is asked for
    with _AT_ONCE:
        try:
            return _HASHER.verify(stored or compared, _plain(password)) and stored is not None
        except (VerificationError, InvalidHashError):
            return False


def is_outdated(stored: str) -> bool:
    """Says whether the hash was made with weaker parameters than today's."""
    return _HASHER.check_needs_rehash(stored)


@cache
def _stand_in() -> str:
    return hash_password("of nobody")


def _plain(password: str) -> str:
    """Gives the password in one form, however a keyboard composed its characters."""
    return unicodedata.normalize("NFKC", password)
