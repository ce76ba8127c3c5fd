"""Takes secrets out of texts that leave the process: log lines, the error log, reports to Sentry."""

import re

# A text without any of these is left alone, which is what most of them cost.
_SIGNS = ("eyj", "token", "ticket", "bearer", "passw", "secret", "key", "authoriz", "://")

_JWT = re.compile(r"eyJ[\w-]{5,}\.[\w-]*(\.[\w-]*)?")
_BEARER = re.compile(r"\b(bearer\s+)[^\s\"'\\,;)]+", re.IGNORECASE)
_AUTHORIZATION = re.compile(r"(authorization[\"'\\]*\s*[=:]\s*(?:b(?=[\"']))?[\"'\\]*)[^\"'\\\r\n]+", re.IGNORECASE)
_NAMED = re.compile(
    r"((?:token|ticket|passw(?:or)?d|secret(?:[_-]?key)?|api[_-]?key|key[_-]?id)[\"'\\]*\s*[=:]\s*(?:b(?=[\"']))?[\"'\\]*)[^&\s\"'\\,;)]+",
    re.IGNORECASE,
)
_USER_INFO = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s:/@\"']*):[^\s/@\"']+@", re.IGNORECASE)
_QUERY = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s?\"'\\]*)\?[^\s\"'\\)]*", re.IGNORECASE)


def scrubbed(text: str) -> str:
    """The text without tokens, passwords, keys, ``Authorization`` headers, and query strings of URLs."""
    lowered = text.lower()
    for sign in _SIGNS:
        if sign in lowered:
            break
    else:
        return text
    text = _QUERY.sub(r"\1?***", text)
    text = _USER_INFO.sub(r"\1:***@", text)
    text = _AUTHORIZATION.sub(r"\1***", text)
    text = _BEARER.sub(r"\1***", text)
    text = _NAMED.sub(r"\1***", text)
    return _JWT.sub("***", text)
