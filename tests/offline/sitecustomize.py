"""Refuse every connection and name look-up that would leave this machine, in this process and its children.

`make test` puts this folder first on PYTHONPATH, so each Python process reads it at its start. An audit hook sees what
the `socket` module is asked, and cannot be removed.
"""

import functools
import importlib.machinery
import importlib.util
import os
import socket
import sys

# The events with the place of the host or address among their arguments
_HOSTS = {"socket.getaddrinfo": 0, "socket.gethostbyname": 0, "socket.gethostbyaddr": 0}
_ADDRESSES = {"socket.connect": 1, "socket.sendto": 1, "socket.sendmsg": 1}


def _stays_here(host):
    if isinstance(host, (bytes, bytearray)):
        host = host.decode("ascii", "replace")
    # None and the empty name mean this machine; addresses that are no text belong to sockets other than internet ones
    if not isinstance(host, str) or host in ("", "localhost", "0.0.0.0", "::"):
        return True
    import ipaddress

    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _guard(event, arguments):
    if event in _HOSTS:
        host = arguments[_HOSTS[event]]
    elif event in _ADDRESSES:
        host = _host(arguments[_ADDRESSES[event]])
    else:
        return
    _refuse_others(event, host)


def _host(address):
    # Else it is the path of a Unix socket, or none for a socket that is connected
    return address[0] if isinstance(address, tuple) and address else None


def _refuse_others(event, host):
    if not _stays_here(host):
        where = "tests may reach this machine only (tests/offline/sitecustomize.py)"
        raise OSError(f"offline: {event} of {host!r} is refused; {where}")


def _check_first(name):
    "Let a method of sockets check its address, which is its last argument"
    method = getattr(socket.socket, name)

    @functools.wraps(method)
    def checked(self, *arguments):
        _refuse_others(f"socket.{name}", _host(arguments[-1]) if arguments else None)
        return method(self, *arguments)

    setattr(socket.socket, name, checked)


def _run_next_sitecustomize():
    "Run the sitecustomize that this file hides, where there is one"
    here = os.path.dirname(os.path.abspath(__file__))
    paths = [path for path in sys.path if os.path.abspath(path) != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", paths)
    if spec and spec.loader:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


sys.addaudithook(_guard)
# A host name in an address is looked up before there is an event
for _name in ("connect", "connect_ex", "sendto"):
    _check_first(_name)
os.environ["OFFLINE_GUARD"] = "1"
_run_next_sitecustomize()
