"""Test parsing of origins and hosts: equivalent spellings are equal, and malformed ones are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_app.server.origins import Host, Origin, parse_address, parse_host, parse_origin


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("localhost", Host("localhost")),
        ("LocalHost:3000", Host("localhost", 3000)),
        ("localhost.:3000", Host("localhost", 3000)),
        ("localhost:", Host("localhost")),
        ("127.0.0.1:80", Host("127.0.0.1", 80)),
        ("[::1]:3000", Host("::1", 3000)),
        ("[0:0:0:0:0:0:0:1]", Host("::1")),
        ("xn--bcher-kva.example", Host("xn--bcher-kva.example")),
        ("my_box", Host("my_box")),
    ],
)
def test_parse_host_reads_every_spelling(text: str, host: Host) -> None:
    assert parse_host(text) == host


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        ":3000",
        "localhost:99999",
        "localhost:0",
        "127.0.0.1:00000",
        "localhost:-1",
        "localhost:٣",
        "localhost:3000:3000",
        "evil@localhost",
        "localhost@evil.example",
        "localhost, evil.example",
        "localhost evil.example",
        " localhost",
        "localhost/",
        "localhost\\@evil.example",
        "localhost#evil.example",
        "localhost?",
        "[localhost]",
        "[::1",
        "::1",
        "[::1]evil.example",
        "[fe80::1%25eth0]",
        "bücher.example",
        "local%68ost",
        "localhost\x00",
        "localhost\n",
    ],
)
def test_parse_host_refuses_what_is_no_host(text: str) -> None:
    assert parse_host(text) is None


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("http://localhost:3000", "http://localhost:3000"),
        ("HTTP://LocalHost.:80", "http://localhost"),
        ("https://example.org:443", "https://example.org"),
        ("https://example.org:80", "https://example.org:80"),
        ("http://[0::1]:3000", "http://[::1]:3000"),
    ],
)
def test_parse_origin_reads_every_spelling(text: str, written: str) -> None:
    assert str(parse_origin(text)) == written


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "*",
        "localhost:3000",
        "//localhost:3000",
        "http://",
        "http://localhost:3000/",
        "http://localhost:3000/path",
        "http://evil@localhost:3000",
        "http://localhost:3000@evil.example",
        "http://localhost:3000, http://evil.example",
        "http://localhost:3000 http://evil.example",
        "ws://localhost:3000",
        "file://",
        "file://localhost",
        "chrome-extension://abcdefghijklmnop",
        "httpx://localhost",
        "xhttp://localhost",
    ],
)
def test_parse_origin_refuses_what_is_no_origin(text: str) -> None:
    assert parse_origin(text) is None


@pytest.mark.parametrize(
    ("text", "origin", "path"),
    [
        ("https://example.org", "https://example.org", ""),
        ("HTTPS://Example.org:443/", "https://example.org", ""),
        ("http://10.0.0.7:8080/agents/", "http://10.0.0.7:8080", "/agents"),
        ("https://example.org/a/b-c", "https://example.org", "/a/b-c"),
        ("https://bücher.example:8443", "https://xn--bcher-kva.example:8443", ""),
        ("https://straße.example", "https://xn--strae-oqa.example", ""),
    ],
)
def test_parse_address_takes_origin_and_path_apart(text: str, origin: str, path: str) -> None:
    assert parse_address(text) == (parse_origin(origin), path)


@pytest.mark.parametrize(
    "text",
    [
        "*",
        "https://*",
        "https://*.example.org",
        "null",
        "example.org",
        "example.org:3000",
        "ftp://example.org",
        "wss://example.org",
        "https://user@example.org",
        "https://example.org?",
        "https://example.org/?a=1",
        "https://example.org/#a",
        "https://example.org//",
        "https://example.org/a//b",
        "https://example.org/a/../b",
        "https://example.org/.",
        "https://example.org/a%20b",
        "https://example.org/ä",
        "https://[example.org]",
        "https://exa mple.org",
        "https://bücher..example",
        "https://example.org:port",
    ],
)
def test_parse_address_refuses_what_is_no_address(text: str) -> None:
    assert parse_address(text) is None


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    for parse in (parse_host, parse_origin, parse_address):
        parse(text)


@given(
    st.sampled_from(["http", "https"]),
    st.from_regex(r"[a-z][a-z0-9.-]{0,20}[a-z]", fullmatch=True),
    st.integers(1, 65535),
)
def test_an_origin_reads_as_it_is_written(scheme: str, name: str, port: int) -> None:
    origin = Origin(scheme, name, port)
    assert parse_origin(str(origin)) == origin
