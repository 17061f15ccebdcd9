"""Which URLs are read, and which may be fetched: the parser and the rules alone."""

from ipaddress import ip_address

import pytest

from hostile_urls import HOSTILE
from vecmod.contract.environment import SettingsError
from vecmod.contract.errors import UrlRefused
from vecmod.serving.media.remote_url import is_url, read_url
from vecmod.serving.media.url_rules import UrlRules
from vecmod.serving.service_settings import ServiceSettings


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("http://a/b", True),
        ("HTTPS://a", True),
        ("  http://a", True),
        ("file:///etc/passwd", True),
        ("gopher://a:70/_x", True),
        ("data:image/png;base64,AAAA", False),
        ("iVBORw0KGgo//+AA", False),
        ("//a/b", False),
        ("AAAA" * 1000 + "://", False),
    ],
)
def test_what_is_meant_as_a_url(value: str, meant: bool) -> None:
    assert is_url(value) is meant


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("http://a.example/b?c=d#e", ("http://a.example/b?c=d", "a.example", 80)),
        ("HTTPS://A.Example", ("https://a.example/", "a.example", 443)),
        ("https://a.example:8443?x", ("https://a.example:8443/?x", "a.example", 8443)),
        ("http://my_minio:9000/k%2Fey?X-Sig=a%2fb", ("http://my_minio:9000/k%2Fey?X-Sig=a%2fb", "my_minio", 9000)),
        ("http://a.example:80/кот.jpg", ("http://a.example/%D0%BA%D0%BE%D1%82.jpg", "a.example", 80)),
        ("http://93.184.216.34/x@y", ("http://93.184.216.34/x@y", "93.184.216.34", 80)),
        ("http://[2606:4700:0::1111]:81/", ("http://[2606:4700::1111]:81/", "2606:4700::1111", 81)),
    ],
)
def test_urls_are_read(text: str, parts: tuple[str, str, int]) -> None:
    url = read_url(text)
    assert (url.text, url.host, url.port) == parts
    assert (url.address is not None) == (":" in url.host or url.host[0] == "9")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_urls_are_not_read(text: str) -> None:
    with pytest.raises(UrlRefused, match="; mend it, or send the file's bytes as base64"):
        read_url(text)


@pytest.mark.parametrize(
    ("entries", "text", "allowed"),
    [
        ("a.example", "http://a.example/", True),
        ("A.Example", "https://a.EXAMPLE/", True),
        ("a.example", "https://a.example:8443/", False),
        ("a.example", "http://b.a.example/", False),
        ("a.example", "http://xa.example/", False),
        ("a.example:8443", "https://a.example:8443/", True),
        ("a.example:8443", "https://a.example/", False),
        ("*.a.example", "http://b.a.example/", True),
        ("*.a.example", "http://c.b.a.example/", True),
        ("*.a.example", "http://a.example/", False),
        ("*.a.example", "http://ba.example/", False),
        ("*.a.example:81", "http://b.a.example:81/", True),
        ("*", "http://b.a.example/", True),
        ("*", "http://93.184.216.34/", True),
        ("*", "http://a.example:22/", False),
        ("*:8080", "http://a.example:8080/", True),
        ("10.0.0.0/8", "http://10.1.2.3/", True),
        ("10.0.0.0/8", "http://11.1.2.3/", False),
        ("10.0.0.0/8", "http://10.1.2.3:6379/", False),
        ("10.0.0.0/8:6379", "http://10.1.2.3:6379/", True),
        ("10.0.0.0/8", "http://[::ffff:10.1.2.3]/", True),
        ("10.1.2.3", "http://10.1.2.3/", True),
        ("fd00::/8", "http://[fd12::1]/", True),
        ("[fd00::/8]:81", "http://[fd12::1]:81/", True),
        ("[::1]", "http://[::1]/", True),
        ("::1", "http://[0:0::1]/", True),
        ("10.0.0.0/8", "http://ten.example/", False),
    ],
)
def test_entries_name_hosts_and_ports(entries: str, text: str, allowed: bool) -> None:
    rules = UrlRules(entries.split(","))
    if allowed:
        rules.check_host(read_url(text))
    else:
        with pytest.raises(UrlRefused, match=r"does not fetch from; .* add .* to VECMOD_ALLOW_URLS"):
            rules.check_host(read_url(text))


def test_what_to_add_is_what_opens_it() -> None:
    for text in ("http://minio:9000/x", "https://a.example/", "http://[::1]/", "http://[::1]:81/", "http://10.0.0.1/"):
        with pytest.raises(UrlRefused) as caught:
            UrlRules(["b.example"]).check_host(read_url(text))
        entry = caught.value.message.rpartition("add ")[2].removesuffix(" to VECMOD_ALLOW_URLS")
        UrlRules([entry]).check_host(read_url(text))


INSIDE = """0.0.0.0 10.0.0.1 100.64.0.1 100.100.100.200 127.0.0.1 127.255.255.254 168.63.129.16 169.254.169.254
172.16.0.1 172.31.255.255 192.0.0.192 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1
239.1.1.1 240.0.0.1 255.255.255.255 :: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:169.254.169.254 64:ff9b::7f00:1
64:ff9b::a9fe:a9fe 64:ff9b:1::1 100::1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:db8::1 2002:7f00:1::
2002:5db8:d822:: 3fff::1 4000::1 5f00::1 fc00::1 fd00:ec2::254 fe80::1 fe80::1%lo fec0::1 ff02::1""".split()
OUTSIDE = """8.8.8.8 93.184.216.34 172.15.255.255 172.32.0.1 223.255.255.255 168.63.129.17 2606:4700::1111 2a00:1450::1
2003::1 ::ffff:93.184.216.34 64:ff9b::5db8:d822""".split()


@pytest.mark.parametrize("address", INSIDE)
def test_addresses_that_are_not_public(address: str) -> None:
    with pytest.raises(UrlRefused, match=r"leads to an address that is not public; .* add .* to VECMOD_ALLOW_URLS"):
        UrlRules(["*"]).check_address(read_url("http://a.example/"), ip_address(address))


@pytest.mark.parametrize("address", OUTSIDE)
def test_addresses_that_are_public(address: str) -> None:
    UrlRules(["*"]).check_address(read_url("http://a.example/"), ip_address(address))


def test_a_listed_address_opens_a_listed_name(caplog: pytest.LogCaptureFixture) -> None:
    url, address = read_url("http://minio:9000/x"), ip_address("172.18.0.3")
    with pytest.raises(UrlRefused, match=r"leads to an address .* add that address, which is in the") as caught:
        UrlRules(["minio:9000", "10.0.0.0/8"]).check_address(url, address)
    assert "172." not in caught.value.message  # it could draw a map of the house
    assert "add 172.18.0.3, or 172.16.0.0/12, to VECMOD_ALLOW_URLS" in caplog.text
    for opened in ("172.16.0.0/12", "172.18.0.3", "172.18.0.3:9000"):
        UrlRules(["minio:9000", opened]).check_address(url, address)
    with pytest.raises(UrlRefused):
        UrlRules(["minio:9000", "172.18.0.3:81"]).check_address(url, address)


@pytest.mark.parametrize(
    "entry",
    ["https://a.example", "a.example/path", "a.example:", "a.example:x", "a.example:0", "a.example:65536", "*.", "**.a",
     "*a.example", "10.0.0.0/33", "127.1", "2130706433", "bücher.example", "user@a.example", "a b", "[::1", "%"],
)  # fmt: skip
def test_entries_that_cannot_be_read(entry: str) -> None:
    with pytest.raises(ValueError, match="write"):
        UrlRules([entry])
    with pytest.raises(SettingsError, match=r"VECMOD_ALLOW_URLS=.* cannot be used: "):
        ServiceSettings.read({"VECMOD_ALLOW_URLS": f"a.example, {entry}"})
