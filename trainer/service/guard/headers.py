"""What every answer says to browsers: run nothing but our own files, in no other page, and keep nothing."""

from collections.abc import Iterable

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
ALWAYS = {
    b"content-security-policy": POLICY.encode(),
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"same-origin",  # with no-referrer browsers may say that a form of ours is nobody's
    b"cross-origin-resource-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
}
CACHE, KEEP_NOTHING, ASK_AGAIN = b"cache-control", b"no-store", b"no-cache"
CORS = b"access-control-"  # headers that would let other origins in: none leaves the service

Headers = list[tuple[bytes, bytes]]


def guarded(headers: Iterable[tuple[bytes, bytes]], is_static: bool) -> Headers:
    """The headers of an answer with ours in the place of its own; static files may be kept, and asked for.

    >>> dict(guarded([(b"access-control-allow-origin", b"*")], is_static=False))[b"cache-control"]
    b'no-store'
    """
    own = {**ALWAYS, CACHE: ASK_AGAIN if is_static else KEEP_NOTHING}
    kept = [
        (name, value)
        for name, value in headers
        if name.lower() not in own and not name.lower().startswith(CORS)
    ]
    return [*kept, *own.items()]
