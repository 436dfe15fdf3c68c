"""The laboratory of examples/linux, from an empty machine to one that serves, and back to an empty one."""

import shutil
from pathlib import Path

import pytest

from tests.real.linux_host import until
from tests.real.tree import HOST, Tree

EXAMPLE = Path(__file__).parents[2] / "examples/linux"
VM_PATIENCE_S = 90.0

pytestmark = pytest.mark.usefixtures("lxc", "libvirt", "leaves_nothing")


@pytest.fixture
def laboratory(tree: Tree, zone_tarball: Path, vm_disk: Path, tmp_path: Path) -> Tree:
    """The example as it stands, with folders of the test where it names folders of the machine."""
    shutil.rmtree(tree.folder)
    shutil.copytree(EXAMPLE, tree.folder)
    folders = {
        "/srv/reconciler/images/zone.tar": str(zone_tarball),
        "/srv/reconciler/images/vm.raw": str(vm_disk),
        "/srv/pages": str(tmp_path / "pages"),
    }
    for file in (tree.folder / "hosts" / HOST).iterdir():
        text = file.read_text()
        for named, ours in folders.items():
            text = text.replace(f"target: {named}", "target: <kept>").replace(named, ours).replace("<kept>", named)
        file.write_text(text)
    return tree


def test_the_laboratory_comes_up_serves_and_goes_without_a_trace(laboratory: Tree, tmp_path: Path) -> None:
    tree, host = laboratory, laboratory.host
    tree.converges()

    # Three guests and the machine itself read one another's pages.
    (tmp_path / "pages" / "index.html").write_text("a page that outlives its server\n")
    host.run("ip", "address", "add", "10.77.0.1/24", "dev", "lab1g")
    host.run("ip", "link", "set", "lab1g", "up")
    until(lambda: _page(tree, "10.77.0.11") != "", lambda: "web1 does not serve")
    until(lambda: _page(tree, "10.77.0.21") != "", lambda: "vm1 does not serve", VM_PATIENCE_S)
    assert host.in_container("web1", "cat", "/srv/pages/index.html").stdout == "a page that outlives its server\n"
    assert _page(tree, "10.77.0.21", inside="web2") == "vm1"
    assert _page(tree, "10.77.0.11", inside="web2") == "web1"

    # What no rule lets in stays out.
    assert not _answers(tree, "10.77.0.11", "23", inside="web2")

    # A link that carries an address of the machine's own is never taken away.
    host.run("ip", "address", "flush", "dev", "lab1g")
    for file in (tree.folder / "hosts" / HOST).iterdir():
        if file.name != "host.yaml":
            file.unlink()
    tree.converges()
    purged = tree.purge()
    assert purged.exit_code == 0, purged.out + purged.err
    assert tree.plan().exit_code == 0


def test_a_plan_names_scripts_and_shows_them_when_asked(laboratory: Tree) -> None:
    short, long = laboratory.reconciler("plan").out, laboratory.reconciler("plan", "--scripts").out

    assert "$ sh -c <make-link> lab0 " in short
    assert "`plan --scripts`" in short
    assert "ip -batch" not in short
    assert "  <make-link> is\n      name=$1" in long


def _page(tree: Tree, address: str, inside: str = "") -> str:
    """What a web server serves within two seconds; empty where none answers."""
    argv = ("sh", "-c", f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | busybox nc -w 2 {address} 80")
    asked = tree.host.in_container(inside, *argv) if inside else tree.host.ask(*argv)
    return asked.stdout.partition("\n\n")[2].strip()


def _answers(tree: Tree, address: str, port: str, inside: str) -> bool:
    return tree.host.in_container(inside, "nc", "-w", "1", address, port).returncode == 0
