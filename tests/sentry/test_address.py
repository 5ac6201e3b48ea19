from __future__ import annotations

import pytest

from sentry_connector.errors import UsageError
from sentry_connector.sentry.address import is_blocked, normalise_url, origin


@pytest.mark.parametrize(
    ("typed", "base"),
    [
        ("sentry.io", "https://sentry.io"),
        (" https://Sentry.IO/ ", "https://sentry.io"),
        ("https://sentry.io/api/0/", "https://sentry.io"),
        ("https://sentry.io:443", "https://sentry.io"),
        ("http://localhost:9000", "http://localhost:9000"),
        ("localhost:9000", "https://localhost:9000"),
        ("http://10.0.0.8/tools/sentry/api/0", "http://10.0.0.8/tools/sentry"),
        ("http://[::1]:9000/", "http://[::1]:9000"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("https://sentry.io.", "https://sentry.io"),
    ],
)
def test_a_typed_url_becomes_the_base_url_and_stays_it(typed: str, base: str) -> None:
    assert base == normalise_url(typed)
    assert base == normalise_url(base)


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "https://",
        "ftp://sentry.io",
        "file:///etc/passwd",
        "https://user:secret-word@sentry.io",
        "https://sentry.io@evil.example",
        "https://sentry.io?x=1",
        "https://sentry.io#x",
        "https://sentry.io\\@evil.example",
        "https://sentry .io",
        "https://sentry.io\x00",
        "https://sentry.io:0",
        "https://sentry.io:99999",
        "https://sentry.io:x",
        "https://[::1",
        "https://sentry.io/../x",
        "https://-sentry.io",
        "https://%73entry.io",
        "http://2130706433",
        "http://0x7f000001",
        "http://0177.0.0.1",
        "http://127.1",
        "http://169.254.169.254",
        "http://0.0.0.0:9000",
        "http://[::]",
        "http://[fe80::1]",
        "http://[::ffff:169.254.169.254]",
        "http://[fd00:ec2::254]",
        "http://100.100.100.200",
    ],
)
def test_a_url_that_hides_where_it_leads_is_refused_without_being_repeated(typed: str) -> None:
    with pytest.raises(UsageError) as caught:
        normalise_url(typed)
    assert "secret-word" not in caught.value.message


def test_an_origin_is_scheme_host_and_port() -> None:
    assert origin("https://Sentry.io/x?y=1") == ("https", "sentry.io", 443)
    assert origin("http://sentry.io:9000") == ("http", "sentry.io", 9000)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "192.168.0.1", "::1", "fd00::1", "35.186.247.156"])
def test_addresses_that_self_hosted_servers_have_are_allowed(address: str) -> None:
    assert not is_blocked(address)


@pytest.mark.parametrize("address", ["fe80::1%eth0", "2002:a9fe:a9fe::1", "255.255.255.255", "224.0.0.1", "ff02::1"])
def test_addresses_that_no_sentry_has_are_blocked(address: str) -> None:
    assert is_blocked(address)
