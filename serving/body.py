"""Reads a request body: within its limit, as JSON, as nothing else."""

from __future__ import annotations

import json
from typing import NoReturn

from fastapi import Request

from serving.problems import ProblemError
from serving.settings import MIB, Settings


async def read_body(request: Request) -> bytes:
    """Gives the body, read no further than the limit, whether or not its length was announced.

    Raises:
        ProblemError: 415 when it is not sent as JSON, 413 when it is too large.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json" and not (
        media_type.startswith("application/") and media_type.endswith("+json")
    ):
        raise ProblemError(415, "Send the request as JSON, with the header 'Content-Type: application/json'.")
    if request.headers.get("content-encoding", "identity") != "identity":
        raise ProblemError(415, "Send the body without compression; Content-Encoding is not supported.")
    settings: Settings = request.app.state.settings
    limit = settings.max_body_bytes
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise _too_large(limit)
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > limit:
            raise _too_large(limit)
    return bytes(body)


def _too_large(limit: int) -> ProblemError:
    return ProblemError(413, f"The body is larger than {limit / MIB:.3g} MiB; send fewer deals a request.")


def parse_body(body: bytes) -> object:
    """Gives the decoded JSON value.

    Raises:
        ProblemError: 400 when the bytes are not UTF-8 or not JSON.
    """
    try:
        value: object = json.loads(body.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        message = f"The body is not UTF-8: byte {error.start} cannot be read. Encode the JSON as UTF-8."
    except json.JSONDecodeError as error:
        message = f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
    except RecursionError:
        message = "The body is nested too deeply; a request needs no more than five levels."
    except ValueError:
        message = "The body holds a number that JSON does not know or that is too long."
    else:
        return value
    raise ProblemError(400, message)


def _refuse_constant(_name: str) -> NoReturn:
    raise ValueError
