"""HTTP to this machine, without the certificates that a client otherwise reads when it is made: more work than a test's calls."""

from __future__ import annotations

import ssl

# Trusts nobody, so that it is of no use for anything but plain HTTP
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
