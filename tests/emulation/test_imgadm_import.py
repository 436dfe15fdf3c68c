"""`imgadm import`, `install`, `delete` and `vacuum`: what is said, what becomes of the datasets, what a fault leaves."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from reconciler.emulation import EmulatedHost, Fault, FaultKind
from reconciler.emulation.executables import write_executables
from reconciler.emulation.images.installed import installed_image
from reconciler.emulation.images.sites import SiteHealth
from tests.emulation.console import must, run, value

BASE = "2f1dc911-6401-4fa4-8e9d-67ea2e39c271"
WEB = "b7493690-f019-4612-958b-bab5f844283e"
DISK = "c8b1ca70-b4e6-4a5e-96d5-5c4c4e0e9b21"
NONE = "00000000-0000-4000-8000-000000000000"


def _listed(host: EmulatedHost) -> dict[str, dict[str, Any]]:
    return {item["manifest"]["uuid"]: item for item in json.loads(must(host, "imgadm list -j"))}


def test_an_import_brings_its_origins_first_and_says_so(smartos: EmulatedHost) -> None:
    said = must(smartos, f"imgadm import -P zones {WEB}")

    assert said == (
        f'Importing {WEB} (web-64-lts@24.4.1) from "https://images.smartos.org"\n'
        f"Gather image {WEB} ancestry\n"
        "Must download and install 2 images (183.0 MiB)\n"
        f"Downloaded image {BASE} (161.0 MiB)\n"
        f"Imported image {BASE} (base-64-lts@24.4.1)\n"
        f"Downloaded image {WEB} (22.0 MiB)\n"
        f"Imported image {WEB} (web-64-lts@24.4.1)\n"
    )
    assert value(smartos, f"zones/{WEB}", "origin")[0] == f"zones/{BASE}@final"
    assert _listed(smartos)[BASE]["clones"] == 1


def test_a_quiet_import_prints_nothing_and_a_second_one_skips(smartos: EmulatedHost) -> None:
    assert must(smartos, f"imgadm import -q -P zones {BASE}") == ""
    before = smartos.storage.names()

    assert (
        must(smartos, f"imgadm import -P zones {BASE}") == f"Image {BASE} (base-64-lts 24.4.1) is already installed, skipping\n"
    )
    assert must(smartos, f"imgadm import -q {BASE}") == ""
    assert smartos.storage.names() == before


def test_an_image_of_a_disk_is_a_volume_of_its_image_size(smartos: EmulatedHost) -> None:
    must(smartos, f"imgadm import -q {DISK}")

    assert smartos.storage.dataset(f"zones/{DISK}").kind == "volume"
    assert value(smartos, f"zones/{DISK}", "volsize")[0] == str(10240 << 20)
    assert smartos.storage.exists(f"zones/{DISK}@final")


def test_another_pool_gets_an_image_of_its_own(smartos: EmulatedHost) -> None:
    smartos.storage.create_pool("fast", 1 << 40)
    must(smartos, f"imgadm import -q -P fast {BASE}")

    assert [item["zpool"] for item in json.loads(must(smartos, "imgadm list -j"))] == ["fast"]
    assert run(smartos, f"imgadm get -P zones {BASE}").exit_code == 3
    assert json.loads(must(smartos, f"imgadm get -P fast {BASE}"))["zpool"] == "fast"


@pytest.mark.parametrize(
    ("line", "complaint", "code"),
    [
        (f"imgadm import {NONE}", f'error (ActiveImageNotFound): an active image with uuid "{NONE}" was not found', 1),
        ("imgadm import nonsense", 'error (InvalidUUID): invalid uuid: "nonsense"', 1),
        (f"imgadm import -P nope {BASE}", 'error (InternalError): zpool "nope" does not exist', 1),
        (
            f"imgadm import -S https://nowhere {BASE}",
            'error (ClientError): image source "https://nowhere" (imgapi) error: getaddrinfo ENOTFOUND nowhere',
            1,
        ),
        ("imgadm import", "error (Usage): no image uuid given", 1),
        (f"imgadm import --bad {BASE}", 'error (UnknownOption): unknown option: "--bad"', 1),
    ],
)
def test_an_import_that_is_refused_changes_nothing(smartos: EmulatedHost, line: str, complaint: str, code: int) -> None:
    before = smartos.storage.names()
    refused = run(smartos, line)

    assert (refused.exit_code, refused.stdout, refused.stderr) == (code, "", f"imgadm import: {complaint}\n")
    assert smartos.storage.names() == before


def test_an_import_fails_while_the_source_is_down_and_works_afterwards(smartos: EmulatedHost) -> None:
    smartos.images.set_health(SiteHealth.DOWN)
    refused = run(smartos, f"imgadm import {BASE}")
    smartos.images.set_health(SiteHealth.FAILING)
    failing = run(smartos, f"imgadm import {BASE}")
    smartos.images.set_health(SiteHealth.BROKEN_FILES)
    broken = run(smartos, f"imgadm import {BASE}")
    assert not smartos.storage.exists(f"zones/{BASE}")
    smartos.images.set_health(SiteHealth.UP)
    must(smartos, f"imgadm import {BASE}")

    assert "error (ClientError): " in refused.stderr
    assert "error (ServiceUnavailable): " in failing.stderr
    assert "error (DownloadError): " in broken.stderr
    assert {refused.exit_code, failing.exit_code, broken.exit_code} == {1}


def test_an_origin_that_the_source_has_not_got_stops_the_import(smartos: EmulatedHost) -> None:
    image = "11111111-2222-4333-8444-555555555555"
    manifest = json.loads(must(smartos, f"imgadm show {WEB}")) | {"uuid": image, "origin": NONE}
    smartos.images.offer(manifest)

    assert "error (OriginNotFoundInSource): " in run(smartos, f"imgadm import {image}").stderr
    assert not smartos.storage.exists(f"zones/{image}")


def test_an_image_for_a_newer_platform_is_refused(smartos: EmulatedHost) -> None:
    manifest = json.loads(must(smartos, f"imgadm show {BASE}"))
    smartos.images.offer(manifest | {"requirements": {"min_platform": {"7.0": "20990101T000000Z"}}})

    assert "error (MinPlatform): " in run(smartos, f"imgadm import {BASE}").stderr


def test_an_image_that_does_not_fit_leaves_no_dataset(smartos: EmulatedHost) -> None:
    smartos.storage.create_pool("tiny", 128 << 20)
    refused = run(smartos, f"imgadm import -q -P tiny {BASE}")

    assert refused.exit_code == 1
    assert "out of space" in refused.stderr
    assert smartos.storage.names()[0] == "tiny"
    assert not smartos.storage.exists(f"tiny/{BASE}")


def test_half_an_import_leaves_an_image_without_a_name_that_update_mends(smartos: EmulatedHost) -> None:
    smartos.inject(Fault(FaultKind.HALF, tool="imgadm", argv="import"))
    assert run(smartos, f"imgadm import -q {BASE}").exit_code == 1
    assert _listed(smartos)[BASE]["manifest"] == {"uuid": BASE}
    assert must(smartos, f"imgadm import {BASE}") == f"Image {BASE} is already installed, skipping\n"

    assert must(smartos, "imgadm update") == f"Updated image {BASE} (base-64-lts@24.4.1)\n"
    assert json.loads(must(smartos, f"imgadm get {BASE}"))["manifest"] == json.loads(must(smartos, f"imgadm show {BASE}"))


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_an_import_cut_off_anywhere_is_whole_after_another_and_an_update(smartos: EmulatedHost, parts: int) -> None:
    smartos.inject(Fault(FaultKind.HALF, tool="imgadm", argv="import", parts=parts))
    assert run(smartos, f"imgadm import -q {WEB}").exit_code == 1
    known = [uuid for uuid, item in _listed(smartos).items() if "name" in item["manifest"]]
    assert known == ([] if parts == 1 else [BASE])

    must(smartos, f"imgadm import -q {WEB}", "imgadm update")
    assert {uuid: item["manifest"]["name"] for uuid, item in _listed(smartos).items()} == {
        BASE: "base-64-lts",
        WEB: "web-64-lts",
    }


def test_an_import_whose_reply_is_lost_is_there(smartos: EmulatedHost) -> None:
    smartos.inject(Fault(FaultKind.LOST_REPLY, tool="imgadm", argv="import"))

    lost = run(smartos, f"imgadm import {BASE}")

    assert (lost.exit_code, lost.stdout) == (255, "")
    assert _listed(smartos)[BASE]["source"] == "https://images.smartos.org"
    assert must(smartos, f"imgadm import {BASE}").endswith("is already installed, skipping\n")


def test_an_image_with_clones_is_not_deleted(smartos: EmulatedHost) -> None:
    must(smartos, f"imgadm import -q {BASE}", f"zfs clone zones/{BASE}@final zones/guest")
    refused = run(smartos, f"imgadm delete -P zones {BASE}")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr == (
        f'imgadm delete: error (ImageHasDependentClones): image "{BASE}" has dependent clones: zones/guest\n'
    )

    assert must(smartos, "zfs destroy zones/guest", f"imgadm delete -P zones {BASE}") == f"Deleted image {BASE}\n"
    assert not smartos.storage.exists(f"zones/{BASE}")
    assert run(smartos, f"imgadm delete -P zones {BASE}").exit_code == 3


def test_what_zfs_destroys_is_no_image_any_more(smartos: EmulatedHost) -> None:
    must(smartos, f"imgadm import -q {BASE}", f"zfs destroy -r zones/{BASE}")

    assert _listed(smartos) == {}
    assert installed_image(smartos.storage._state, "zones", BASE) is None
    must(smartos, f"imgadm import -q {BASE}")


def test_a_dataset_that_somebody_made_an_image_has_only_its_uuid(smartos: EmulatedHost) -> None:
    must(smartos, f"zfs create zones/{NONE}")
    assert _listed(smartos) == {}
    must(smartos, f"zfs snapshot zones/{NONE}@final")

    assert _listed(smartos)[NONE] == {"manifest": {"uuid": NONE}, "zpool": "zones", "clones": 0}


def test_vacuum_takes_what_is_unused_and_then_what_that_was_based_on(smartos: EmulatedHost) -> None:
    must(smartos, f"imgadm import -q {WEB}", f"imgadm import -q {DISK}", f"zfs clone zones/{DISK}@final zones/disk0")
    dry = must(smartos, "imgadm vacuum -n")
    assert set(_listed(smartos)) == {BASE, WEB, DISK}
    asked = run(smartos, "imgadm vacuum")
    assert (asked.exit_code, set(_listed(smartos))) == (1, {BASE, WEB, DISK})
    done = must(smartos, "imgadm vacuum -f")

    assert done == f"Deleted image {WEB} (web-64-lts@24.4.1)\nDeleted image {BASE} (base-64-lts@24.4.1)\n"
    assert dry.replace("[dry-run] ", "") == done
    assert set(_listed(smartos)) == {DISK}


def test_install_takes_files_of_the_machine_that_a_program_runs_on(tmp_path: Path) -> None:
    write_executables(tmp_path / "bin", system="smartos", state=tmp_path / "host.db")
    manifest = tmp_path / "image.json"
    manifest.write_text(
        json.dumps(
            {"v": 2, "uuid": NONE, "name": "own", "version": "1", "type": "zone-dataset", "os": "smartos", "files": [{}]}
        )
    )
    (tmp_path / "image.gz").write_bytes(b"x" * 1000)
    argv = [tmp_path / "bin" / "imgadm", "install", "-P", "zones", "-m", manifest, "-f", tmp_path / "image.gz"]
    runs = [subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False) for _ in range(2)]

    assert runs[0].stdout == f"Installing image {NONE} (own@1)\nInstalled image {NONE} (own@1)\n"
    assert runs[1].stdout == f"Image {NONE} (own 1) is already installed, skipping\n"
    assert [one.returncode for one in runs] == [0, 0]
    with EmulatedHost.open(tmp_path / "host.db") as host:
        assert "source" not in _listed(host)[NONE]
        # In process there are no files to be read, so that nobody's own files are taken for the host's.
        missing = run(host, f"imgadm install -m {manifest} -f {tmp_path / 'image.gz'}")
    assert (missing.exit_code, missing.stderr) == (1, f'imgadm install: error (Usage): no such manifest file: "{manifest}"\n')


def test_two_programs_that_import_one_image_at_once_make_it_once(tmp_path: Path) -> None:
    write_executables(tmp_path / "bin", system="smartos", state=tmp_path / "host.db")
    argv = [tmp_path / "bin" / "imgadm", "import", "-P", "zones", WEB]
    both = [subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = sorted(one.communicate(timeout=60)[0].splitlines()[-1] for one in both)

    assert [one.returncode for one in both] == [0, 0]
    assert said == [
        f"Image {WEB} (web-64-lts 24.4.1) is already installed, skipping",
        f"Imported image {WEB} (web-64-lts@24.4.1)",
    ]


@pytest.mark.parametrize(
    ("text", "code"),
    [("not json", "InvalidManifest"), ("[]", "InvalidManifest"), ('{"v": 2}', "ManifestValidation")],
)
def test_install_refuses_a_manifest_that_is_none(tmp_path: Path, text: str, code: str) -> None:
    (tmp_path / "manifest").write_text(text)
    with EmulatedHost.open(tmp_path / "host.db", system="smartos", open_file=lambda path: (tmp_path / path).open("rb")) as host:
        refused = run(host, "imgadm install -m manifest -f manifest")

    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr.startswith(f"imgadm install: error ({code}): manifest ")
