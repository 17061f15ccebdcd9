"""Which URLs may be fetched: what an operator wrote into ``VECMOD_ALLOW_URLS``.

A URL's host must be named by an entry, and every address that the host leads to must be public, unless an entry names
that address. So neither a listed name that leads into the house nor ``*`` opens anything inside.

===========================  ===================================================================================
``images.example.com``       this host
``*.example.com``            every host below it
``*``                        every host
``127.0.0.1``, ``10.0.0.0/8``  these addresses: as the host of a URL, and as what an allowed host leads to
``minio:9000``               with any of them: this port alone. Without it a URL's port must be 80 or 443, and an
                             address may be led to at whatever port the host's own entry allows
===========================  ===================================================================================
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_network

from vecmod.contract.errors import UrlRefused
from vecmod.serving.media.remote_url import LAST_PORT, Address, RemoteUrl, read_host

Network = IPv4Network | IPv6Network

_log = logging.getLogger(__name__)
VARIABLE = "VECMOD_ALLOW_URLS"
_PORTS = (80, 443)
# What is not on the public internet, or not one host: IANA's registries of special-purpose addresses (RFC 6890),
# multicast, and whatever IPv6 has not given to anybody yet. Python's own list changes with its version. Tunnels that
# carry an IPv4 address (6to4, Teredo, IPv4-compatible) are out of use and are refused whatever they carry.
_NOT_PUBLIC: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 "
        "192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/3 "
        "168.63.129.16/32 "  # public by its number, but what Azure's machines ask their host at
        "::1/128 fc00::/7 fe80::/10 2001::/23 2001:db8::/32 2002::/16 3fff::/20 ::/3 4000::/2 8000::/1"
    ).split()
)
# Networks without IPv4 reach it through these addresses, whose last 32 bits are the IPv4 address (RFC 6052).
_NAT64 = IPv6Network("64:ff9b::/96")
_MAPPED = IPv6Network("::ffff:0:0/96")


@dataclass(frozen=True)
class _Entry:
    """One entry: a name (``*`` and ``*.`` in front stand for any), or a network; and a port, if one is named."""

    name: str
    network: Network | None
    port: int | None

    def names(self, url: RemoteUrl) -> bool:
        """Whether a URL's host and port are what this entry is about."""
        if url.port not in (_PORTS if self.port is None else (self.port,)):
            return False
        if self.network is not None:
            return url.address is not None and _meant(url.address) in self.network
        if self.name.startswith("*."):
            return url.address is None and url.host.endswith(self.name[1:])
        return self.name in ("*", url.host)

    def opens(self, address: Address, port: int) -> bool:
        """Whether an allowed host may lead to this address, public or not."""
        return self.network is not None and address in self.network and self.port in (None, port)


class UrlRules:
    """The entries; none: no URL is fetched.

    Raises:
        ValueError: naming the entry that cannot be read.
    """

    def __init__(self, entries: Iterable[str]) -> None:
        self._entries = [_read_entry(entry) for entry in entries]

    def __bool__(self) -> bool:
        return bool(self._entries)

    def check_host(self, url: RemoteUrl) -> None:
        """Raise UrlRefused unless an entry names the URL's host and port; asks no name server."""
        if not self._entries:
            raise _refused("is a URL, and this service fetches none", _entry_for(url))
        if not any(entry.names(url) for entry in self._entries):
            raise _refused(f"is a URL of {url.authority}, which this service does not fetch from", _entry_for(url))

    def check_address(self, url: RemoteUrl, address: Address) -> None:
        """Raise UrlRefused if the URL's host leads to an address that is not public and was not allowed either."""
        meant = _meant(address)
        special = next((network for network in _NOT_PUBLIC if meant in network), None)
        if special is None or any(entry.opens(meant, url.port) for entry in self._entries):
            return
        if url.address is not None:
            raise _refused(f"is a URL of {url.authority}, an address that is not public", _entry_for(url))
        # The address itself is the operator's business: senders could draw a map of the house from such answers.
        _log.warning("refused a URL of %s: add %s, or %s, to %s", url.host, meant, special, VARIABLE)
        raise _refused(
            f"is a URL of {url.authority}, which leads to an address that is not public",
            "that address, which is in the service's log,",
        )


def _entry_for(url: RemoteUrl) -> str:
    host = url.written_host if url.address is None or _meant(url.address) is url.address else str(_meant(url.address))
    return host if url.port in _PORTS else f"{host}:{url.port}"


def _refused(reason: str, entry: str) -> UrlRefused:
    return UrlRefused(
        f"{reason}; send the file's bytes as base64, or let the operator of this service add {entry} to {VARIABLE}"
    )


def _meant(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, if it stands for one."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address


def _read_entry(text: str) -> _Entry:
    """An entry as it is written: an address or network, else a host; a port may follow either."""
    entry = text.strip().lower()
    if network := _as_network(entry):
        return _Entry("", network, None)
    host, colon, digits = entry.rpartition(":")
    if not colon or digits.endswith("]"):
        host, digits = entry, ""
    elif not (digits.isascii() and digits.isdecimal() and 0 < int(digits) <= LAST_PORT):
        raise ValueError(f"{text!r}: write a host, an address or a range of addresses, with or without :port")
    port = int(digits) if digits else None
    if network := _as_network(host.removeprefix("[").removesuffix("]")):
        return _Entry("", network, port)
    return _Entry(_checked_name(host, text), None, port)


def _as_network(text: str) -> Network | None:
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        return None
    # As addresses are: those that stand for IPv4 addresses are compared as such.
    if isinstance(network, IPv6Network) and any(network.subnet_of(one) for one in (_NAT64, _MAPPED)):
        return IPv4Network((int(network.network_address) & 0xFFFF_FFFF, network.prefixlen - 96))
    return network


def _checked_name(host: str, text: str) -> str:
    try:
        if host != "*":
            read_host(host.removeprefix("*."))
    except UrlRefused:
        raise ValueError(
            f"{text!r} is no host, no address and no range of addresses; write images.example.com, *.example.com, "
            "minio:9000, 10.0.0.0/8 or * for every public host"
        ) from None
    return host
