"""Hide secrets in error messages before they reach people, models, rows or logs.

Two kinds of secrets are hidden: known ones (given keys, and values of environment variables whose names
contain KEY, TOKEN, SECRET or PASSWORD), and text in the form of a secret: tokens of
known issuers, JSON Web Tokens, PEM private keys, passwords in URLs, and values under a secret's name in
a header, a query string, JSON, Python or a command line. Words, ids, hashes and paths stay.

Every pattern visits a character a bounded number of times, so the time is linear in the length of the text,
also for hostile text.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, cast
from urllib.parse import quote

HIDDEN: Final = "[hidden]"
"""Text shown in place of a secret."""

_MIXED = r"(?=[a-z-]{0,60}[A-Z0-9*])"  # not only lower-case words, as in hf_transformers

_TOKEN = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    + "|".join(
        (
            r"sk-(?!learn)[A-Za-z0-9_*-]{8,}",  # OpenAI, Anthropic, OpenRouter, DeepSeek, …
            r"(?:sk|pk|rk)_(?:live|test)_[A-Za-z0-9*]{8,}",  # Stripe
            rf"(?:hf|gsk|r8|fw|npm|whsec|ntn|figd|pat|secret)_{_MIXED}[A-Za-z0-9*]{{10,}}",
            rf"(?:xai|gsk|csk|pplx|tvly|nvapi|glpat|gldt|glrt|GOCSPX|PMAK)-{_MIXED}[A-Za-z0-9_*-]{{10,}}",
            r"key-[0-9a-f]{32}|AGE-SECRET-KEY-1[A-Z0-9]{20,}",
            r"gh[oprsu]_[A-Za-z0-9*]{8,}|github_pat_[A-Za-z0-9_*]{8,}",
            r"xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9*-]{8,}|xapp-[A-Za-z0-9*-]{8,}",  # Slack
            r"A(?:KI|SI|BI|CC)A[A-Z0-9]{16}(?![A-Za-z0-9])(?:[ :,/]{1,2}[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+]))?",
            r"AIza[A-Za-z0-9_-]{8,}|ya29\.[A-Za-z0-9_-]{8,}|1//0[A-Za-z0-9_-]{20,}",  # Google
            r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|hv[sb]\.[A-Za-z0-9_-]{16,}",  # SendGrid, Vault
            r"dp\.[a-z]{2,5}\.[A-Za-z0-9]{16,}|pypi-AgE[A-Za-z0-9_-]{8,}|do[opr]_v1_[0-9a-f]{16,}",
            r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{16,}|dapi[0-9a-f]{32}|lin_(?:api|oauth)_[A-Za-z0-9]{16,}",
            r"[0-9]{8,10}:AA[A-Za-z0-9_-]{30,}",  # Telegram
            r"(?:tgp_v1|api_org|lsv2_(?:pt|sk)|pcsk|sbp|sntry[su]|rubygems|pscale_(?:tkn|pw|oauth)|glsa|fm[12])_[\w+/=-]{16,}",
            r"tskey-[a-z]{2,10}-[A-Za-z0-9-]{10,}|NRAK-[A-Z0-9]{20,}|ATATT3[\w=-]{10,}",  # Tailscale, New Relic, Atlassian
            r"pat[A-Za-z0-9]{14}\.[0-9a-f]{32,}|EAA[ACG][A-Za-z0-9]{16,}",  # Airtable, Square, Meta
            r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}:fx",  # DeepL
        )
    )
    + r")|(?<![\w-])eyJ[\w-]{6,}\.(?:[\w-]{4,}|\.[\w-]{4,})(?:\.[\w-]+){0,3}"  # JSON Web Token, RFC 7519
)
_WEBHOOK = re.compile(
    r"((?:hooks\.slack\.com/(?:services|workflows)|discord(?:app)?\.com/api/webhooks)/"
    r"|[\w-]{1,60}\.webhook\.office\.com/webhookb2/|hooks\.zapier\.com/hooks/catch/|maker\.ifttt\.com/trigger/"
    r"|open\.(?:feishu\.cn|larksuite\.com)/open-apis/bot/v2/hook/|api\.telegram\.org/bot)[\w/:@-]+",
    re.I,
)
_PEM = re.compile(  # RFC 7468; the end may be cut off
    r"(-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,10}-----)"
    r"(?=(?:\s|\\[nrt]){0,8}(?:[A-Za-z0-9+/=]{8}|Proc-Type|Version))(?:[^-]|-(?!----))*"
)
_URL = re.compile(r"://[^\s\"'<>]*")
_PORT = re.compile(r"\d{1,5}(?:[/?#]|$)")

_GAP = r"(?:\s|\\(?=\s)){0,20}"  # also over a line break
# Also within a pair, ('x-api-key', b'…'), and in XML.
_SIGN = (
    rf"(?:\\{{0,4}}[\"']?{_GAP}(?:=(?![=~])>?|:=?|：|%3[AaDd]){_GAP}"
    r"|\\{0,4}[\"']\s{0,3},\s{0,3}(?=b?\\{0,4}[\"'])|>(?=[^<>\s]{6,200}</))"
)
_NAMED = re.compile(
    r"(?P<name>(?:(?:api|access|secret|private|auth|account|signing|encryption|master|subscription)[-_ ]?keys?"
    r"|x-[a-z-]{0,30}-key|secret|token|password|passwd|passphrase|passcode|passwort|kennwort|pwd|credentials?|authorization"
    r"|j?session[-_ ]?id|phpsessid|connect\.sid)"
    r"(?: provided)?)"
    rf"(?P<sign>{_SIGN})"
    r"(?P<value>(?:[bBrRuUfF]{0,2}|\w{1,24}\()(?:(?P<q>[\"'])(?:\\.|(?!(?P=q))[^\\\r\n])*(?:(?P=q)|\\)?"
    r"|\\{1,4}[\"'](?:(?!\\{1,4}[\"'])[^\r\n])*)"
    r"|(?:(?P<scheme>Bearer|Basic|Token|ApiKey|Digest|Negotiate)\s{1,3})?"
    r"[^\s\"'&;,<>{}()\[\]](?:[^\s\"'&;,<>{}()\[\]]|[{}()\[\]](?=\w))*)",
    re.I,
)
_COOKIE = re.compile(
    rf"(\bcookies?{_SIGN})(?:(?P<all>\{{[^}}\r\n]*)|(?P<q>\\{{0,4}}[\"'])(?:(?!(?P=q))[^\r\n])*|[^\s\"'{{}}=]+=[^\r\n\"'{{}}]*)",
    re.I,
)
_JAR = re.compile(r"(<Cookie [^\s=<>]{1,200}=)[^\s<>]+")  # the form of http.cookiejar
_PARAMETERS = re.compile(  # RFC 9110: schemes with credentials in parameters
    rf"(\bauthorization{_SIGN}[\"']?(?:Digest|OAuth|Hawk|Signature|AWS4-[\w-]{{1,40}}|HMAC[\w-]{{0,40}})\s)[^\r\n]+",
    re.I,
)
_ANY_SCHEME = re.compile(
    rf"(\bauthorization{_SIGN}[\"']?[A-Za-z][\w-]{{1,24}}\s{{1,3}})(?=[^\s\"',;<]{{0,200}}\d)[^\s\"',;<]{{12,}}",
    re.I,
)
_AUTH_PAIR = re.compile(  # requests and httpx: auth=('user', 'password')
    r"(\bauth\s?=\s?\(\s?b?[\"'][^\"'\r\n]{0,100}[\"'],\s?b?[\"'])[^\"'\r\n]+"
)
_BRACED = re.compile(r"(\b(?:pwd|password)=\{)[^{}\r\n]+", re.I)  # ODBC
_URL_ENCODED = re.compile(r"(%3A%2F%2F[^\s%&]{0,100}%3A)(?:(?!%40)[^\s&]){1,200}(?=%40)", re.I)
_ORACLE = re.compile(r"((?:\boracle:\w{1,10}:)?\b[A-Za-z][\w$#]{0,60}/)[^\s/@\"']{1,128}(?=@//)")
_SHORT_FLAG = re.compile(
    r"(\bcurl\s(?:[^\s;|]{1,80}\s){0,8}(?:-u|--user|--proxy-user)\s{1,3}[\"']?[^\s:\"']{1,80}:"
    r"|\b(?:sshpass|mysql\w{0,10}|mariadb\w{0,10}|docker login|podman login)\s(?:[^\s;|]{1,40}\s){0,6}-p\s?)"
    r"(?!-)[^\s\"']+"
)
_SPOKEN = re.compile(  # 'the password hunter2 is wrong'
    r"(\b(?:password|passphrase|api[-_ ]?key|secret)\s{1,3}(?:(?:is|was)\s{1,3})?[\"'`]?)"
    r"(?=[A-Za-z]{0,60}\d)(?=\d{0,60}[A-Za-z])[^\s\"'`;,<>{}()\[\]]{6,}"
    r"|(\btoken (?:is|was) [\"'`]?)(?=[A-Za-z]{0,60}\d)(?=\d{0,60}[A-Za-z])[\w.+/=-]{16,}",
    re.I,
)
_SCHEME = re.compile(r"(\b(?:Bearer|Basic)\s{1,3})(?P<value>[A-Za-z0-9._~+/=*-]{8,})", re.I)
_FLAG = re.compile(
    r"(--(?:[a-z]{1,20}-){0,3}(?:key|token|secret|password|passwd|passphrase)\s{1,3})(?!-)"
    r"(?:\"[^\"\r\n]*\"?|'[^'\r\n]*'?|[^\s\"']+)",
    re.I,
)
_QUERY = re.compile(
    r"((?:[?&]|\b(?=saml|client_a))(?:samlresponse|samlrequest|client_assertion|jwt|session|pass|pw|key|sig|signature|x-amz-signature|auth|code|sid)=)[^&\s\"'<>#]+",
    re.I,
)

_NOTHING = re.compile(
    r"(?:none|null|nil|true|false|undefined|unset|required|missing|\d{1,6}|\*+|\.+|…)?\W{0,3}", re.I
)
_STRONG = re.compile(r"\d|[^\w.,!?:-]|[a-z][A-Z]|\w{20}")
_CODED = re.compile(r"[A-Za-z]\d|\d[A-Za-z]|[a-z][A-Z].{0,200}[a-z][A-Z]|=$|\S{30}")
_WORDS = frozenset({"token", "tokens", "auth", "authentication", "authorization", "key", "scheme", "header"})

_SECRET_NAME = re.compile(
    r"(?:^|_)(?:KEYS?|TOKENS?|SECRETS?|PASS|CREDENTIALS?)(?:_|$)|PASSWORD|PASSWD|PASSPHRASE|SECRET|APIKEY",
    re.I,
)
_OPTION = re.compile(r"key|token|secret|passw|credential|authorization|cookie", re.I)
_SHORTEST = 6  # characters; a shorter secret may be part of any word
_UNMISTAKABLE = 12  # characters; a shorter secret is hidden only as a whole word


def hide_secrets(text: str, secrets: Iterable[str] = ()) -> str:
    """Replace everything that is, or looks like, a secret by "[hidden]".

    Args:
        text: an error message, or a line of a log.
        secrets: known secrets; those shorter than 6 characters are ignored.
    """
    for secret in (*secrets, *_environment_secrets()):
        text = _without(text, secret)
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text


def secret_values(options: Mapping[str, object]) -> list[str]:
    """Return the values of options, and of headers among them, that have names of secrets."""
    found: list[str] = []
    for name, value in options.items():
        if isinstance(value, Mapping):
            found += secret_values(cast("Mapping[str, object]", value))
        elif isinstance(value, str) and _OPTION.search(str(name)):
            found += [value, value.partition(" ")[2]]  # after the scheme of an Authorization header
    return found


def _environment_secrets() -> Iterator[str]:
    """Yield the values of environment variables with names of secrets, except paths, numbers and plain words."""
    for name, value in os.environ.items():
        known = _SECRET_NAME.search(name) and not value.startswith(("/", "./", "~", HIDDEN))
        if known and not re.fullmatch(r"[\d.,]+|[a-z_ -]{0,15}", value):
            yield value


def _without(text: str, secret: str) -> str:
    """Hide a known secret, also in its JSON and URL encodings."""
    if len(secret) < _SHORTEST:
        return text
    for form in {secret, quote(secret, safe=""), json.dumps(secret)[1:-1]}:
        if form not in text:
            continue
        if len(form) >= _UNMISTAKABLE:
            text = text.replace(form, HIDDEN)
        else:
            text = re.sub(rf"(?<!\w){re.escape(form)}(?!\w)", HIDDEN, text)
    return text


def _in_url(match: re.Match[str]) -> str:
    """Hide the password of the first URL that has one, up to the last @, because a password may contain @."""
    run = match[0]
    last = run.rfind("@")
    start = run.find("://")
    while 0 <= start < last:
        start += 3
        user, colon, password = run[start : min(start + 256, last)].partition(":")
        inside = not re.search(r"[/?#]", user)
        if inside and colon and not _PORT.match(password):
            return f"{run[: start + len(user) + 1]}{HIDDEN}{run[last:]}"
        if inside and not colon and len(user) >= 20:
            return f"{run[:start]}{HIDDEN}{run[last:]}"
        start = run.find("://", start)
    return run


def _named(match: re.Match[str]) -> str:
    """Hide the value after a secret's name, unless the text only mentions the name."""
    name, sign, value = match["name"], match["sign"], match["value"]
    bare = re.sub(r"^\w{1,24}\((?=\\{0,4}[\"'])", "", value).strip("\\\"'")
    header = "-" in name or match["scheme"]
    listed = "," in sign  # two strings in a row may be a pair, or any two
    assigned = header or (not listed and ("=" in sign or "%3d" in sign.lower() or "'" in sign or '"' in sign))
    path = name.lower() == "pwd" and bare.startswith(("/", "~"))
    link = not assigned and bare.startswith(("http://", "https://"))
    spoken = bare.lower() in _WORDS or (not assigned and not _STRONG.search(bare))
    scheme_only = match["scheme"] and bare.split()[-1].lower() in _WORDS
    if _NOTHING.fullmatch(bare) or path or link or spoken or scheme_only or bare == HIDDEN:
        return match[0]
    opening = re.match(r"(?:[bBrRuUfF]{0,2}|\w{1,24}\()\\{0,4}[\"']", value)
    quoted = opening[0] if opening else ""
    closing = quoted[-1] if opening and value.endswith(quoted[-1]) and len(value) > len(quoted) else ""
    return f"{name}{sign}{quoted}{HIDDEN}{closing}"


def _scheme(match: re.Match[str]) -> str:
    return f"{match[1]}{HIDDEN}" if _CODED.search(match["value"]) else match[0]


def _cookie(match: re.Match[str]) -> str:
    return f"{match[1]}{'{' if match['all'] else match['q'] or ''}{HIDDEN}"


_RULES: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (_PEM, rf"\1 {HIDDEN} "),
    (_URL, _in_url),
    (_TOKEN, HIDDEN),
    (_WEBHOOK, rf"\1{HIDDEN}"),
    (_JAR, rf"\1{HIDDEN}"),
    (_COOKIE, _cookie),
    (_PARAMETERS, rf"\1{HIDDEN}"),
    (_AUTH_PAIR, rf"\1{HIDDEN}"),
    (_BRACED, rf"\1{HIDDEN}"),
    (_URL_ENCODED, rf"\1{HIDDEN}"),
    (_NAMED, _named),
    (_ANY_SCHEME, rf"\1{HIDDEN}"),
    (_SCHEME, _scheme),
    (_SPOKEN, rf"\1\2{HIDDEN}"),
    (_FLAG, rf"\1{HIDDEN}"),
    (_SHORT_FLAG, rf"\1{HIDDEN}"),
    (_ORACLE, rf"\1{HIDDEN}"),
    (_QUERY, rf"\1{HIDDEN}"),
)
