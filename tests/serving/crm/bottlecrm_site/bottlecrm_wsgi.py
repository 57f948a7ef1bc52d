"""BottleCRM as a web server, which may send webhooks to this machine; it else sends to public addresses only."""

from __future__ import annotations

from crm.wsgi import application
from webhooks import ssrf

__all__ = ["application"]

_is_blocked = ssrf.is_blocked


class _AnyPort:
    def __contains__(self, _port: object) -> bool:
        return True


ssrf.is_blocked = lambda ip: not ip.is_loopback and _is_blocked(ip)
ssrf._allowed_ports = _AnyPort
