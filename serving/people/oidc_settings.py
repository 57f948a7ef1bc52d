"""Settings of the sign-in at a company's own provider (OpenID Connect)."""

from __future__ import annotations

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from serving.people.access import Role
from serving.settings import Names, read_settings

_PREFIX = "LOSSNLP_OIDC_"
_URL = r"^(https://|http://(127\.0\.0\.1|localhost)([:/]|$))[^?#\s]*$"


class OidcSettings(BaseSettings):
    """Who may sign in elsewhere; every name stands in the environment as `LOSSNLP_OIDC_<NAME>`.

    Args:
        issuer: Address of the provider as its discovery document states it; None switches this way off.
        client_id: Under which the provider knows us.
        client_secret: That the provider gave us.
        role_claim: Top-level claim with a person's role or roles; where it names one of ours, that one holds. None reads none.
        default_role: Role of who has no account yet and gets one; None makes no accounts.
        email_domains: Domains whose e-mails the provider speaks for, commas between them. None given: every verified e-mail
            finds its account; accounts are made only in domains that are given.
        public_url: Scheme and host under which people open the pages; None takes those of the request.
    """

    model_config = SettingsConfigDict(env_prefix=_PREFIX, env_ignore_empty=True, frozen=True)

    issuer: str | None = Field(default=None, pattern=_URL)
    client_id: str | None = None
    client_secret: SecretStr | None = None
    role_claim: str | None = None
    default_role: Role | None = None
    email_domains: Names = ()
    public_url: str | None = Field(default=None, pattern=_URL)

    @model_validator(mode="after")
    def _complete(self) -> OidcSettings:
        if self.issuer and not (self.client_id and self.client_secret):
            raise ValueError(f"needs {_PREFIX}CLIENT_ID and {_PREFIX}CLIENT_SECRET beside it")
        if self.default_role and not self.email_domains:
            raise ValueError(f"with {_PREFIX}DEFAULT_ROLE needs {_PREFIX}EMAIL_DOMAINS, for whom accounts are made")
        return self

    def speaks_for(self, email: str) -> bool:
        """Says whether the provider's word on this e-mail counts."""
        domain = email.rpartition("@")[2].lower()
        return not self.email_domains or domain in {name.lower() for name in self.email_domains}


def load_oidc_settings() -> OidcSettings:
    """Gives the settings that the environment describes.

    Raises:
        ConfigurationError: Names the first variable that cannot be used and why, never its value.
    """
    return read_settings(OidcSettings, prefix=_PREFIX, blamed="issuer")
