"""What a machine reads at its first boot: a small disk of cloud-init's NoCloud in the form of a CD, labelled `cidata`."""

import json
import re

from providers.tools import libvirt_storage as storage
from reconciler.model.command import Command
from reconciler.model.value import Fields, Value
from reconciler.provider.guest import items_of, route_parts

_FIELDS = ("hostname", "dnsDomain", "resolvers", "routes")
_OF_NICS = ("ips", "gateways")
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]*")

TOOLS = ("genisoimage", "mkisofs", "xorrisofs")
"""What can make the CD; one of them must be on the host."""

_WRITE = f"""\
set -e
umask 077
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
folder=$scratch/cd
mkdir "$folder"
head -c "$2" >"$folder/meta-data"
head -c "$3" >"$folder/user-data"
head -c "$4" >"$folder/network-config"
[ "$4" -gt 0 ] || rm "$folder/network-config"
for tool in {" ".join(TOOLS)}; do
    command -v $tool >/dev/null || continue
    $tool -quiet -output "$1.new" -volid cidata -joliet -rock "$folder" 2>"$scratch/said" ||
        {{ cat "$scratch/said" >&2; exit 1; }}
    sync "$1.new"
    mv "$1.new" "$1"
    exit
done
echo "no tool that makes a CD ({", ".join(TOOLS)})" >&2
exit 1"""


def is_for_seed(name: str) -> bool:
    """Whether a field is told to the guest by its seed."""
    head, _, rest = name.partition(".")
    return name in _FIELDS or head == "cloudInit" or (head == "nics" and rest.partition(".")[2] in _OF_NICS)


def has_seed(fields: Fields) -> bool:
    """Whether anything is stated that only the guest itself can do."""
    return any(is_for_seed(name) and value not in (None, ()) for name, value in fields.items())


def write_seed(machine: str, uuid: str, fields: Fields) -> Command:
    """Makes the CD from the machine's fields, with the MAC of each nic among them. The texts go on stdin, one after another."""
    texts = (_meta_data(machine, uuid, fields), _user_data(fields), _network_config(fields))
    sizes = (str(len(text.encode())) for text in texts)
    return Command(("sh", "-c", _WRITE, "write-seed", storage.seed(machine), *sizes), stdin="".join(texts))


def _meta_data(machine: str, uuid: str, fields: Fields) -> str:
    lines = [f"instance-id: {_word(fields.get('cloudInit.instanceId') or uuid)}"]
    hostname, domain = str(fields.get("hostname") or machine), fields.get("dnsDomain")
    full = f"{hostname}.{domain}" if domain and "." not in hostname else hostname
    lines.append(f"local-hostname: {_word(full)}")
    if isinstance(keys := fields.get("cloudInit.sshKeys"), tuple):
        lines += ["public-keys:", *(f"  - {json.dumps(key)}" for key in keys)]
    return "".join(f"{line}\n" for line in lines)


def _word(value: Value) -> str:
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text)


def _user_data(fields: Fields) -> str:
    text = fields.get("cloudInit.userData")
    return str(text) if text else "#cloud-config\n{}\n"


def _network_config(fields: Fields) -> str:
    """Version 2, by MAC; nothing where no nic says where it is: then the guest asks by DHCP as it likes."""
    if (stated := fields.get("cloudInit.networkConfig")) is not None:
        return str(stated)
    lines = []
    nics = items_of(fields, "nics")
    first = min(nics, key=lambda name: (nics[name].get("primary") is not True, name), default="")
    for name, nic in sorted(nics.items()):
        if (told := _nic(fields, nic, is_first=name == first)) and nic.get("mac"):
            lines += [f"  {name}:", f'    match: {{macaddress: "{nic["mac"]}"}}', *told]
    return "".join(f"{line}\n" for line in ("version: 2", "ethernets:", *lines)) if lines else ""


def _nic(fields: Fields, nic: Fields, *, is_first: bool) -> list[str]:
    ips = nic.get("ips")
    addresses = list(ips if isinstance(ips, tuple) else ())
    lines = []
    if "dhcp" in addresses:
        lines.append("    dhcp4: true")
    if "addrconf" in addresses:
        lines.append("    accept-ra: true")
    if static := [ip for ip in addresses if "/" in ip]:
        lines.append(f"    addresses: {json.dumps(static)}")
    gateways = nic.get("gateways")
    routes = [("default", via) for via in (gateways if isinstance(gateways, tuple) else ())]
    stated = fields.get("routes")
    routes += [route_parts(route) for route in (stated if isinstance(stated, tuple) and is_first else ())]
    if routes:
        lines += ["    routes:", *(f'      - {{to: "{to}", via: "{via}"}}' for to, via in routes)]
    resolvers = fields.get("resolvers")
    if is_first and isinstance(resolvers, tuple):
        lines.append(f"    nameservers: {{addresses: {json.dumps(list(resolvers))}{_search(fields)}}}")
    if isinstance(mtu := nic.get("mtu"), int) and lines:
        lines.append(f"    mtu: {mtu}")
    return lines


def _search(fields: Fields) -> str:
    domain = fields.get("dnsDomain")
    return f", search: [{json.dumps(domain)}]" if domain else ""
