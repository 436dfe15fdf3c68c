"""Resources as manifests again."""

from dataclasses import replace

import pytest

from reconciler.desired.render import render
from reconciler.desired.yaml_documents import YamlValue, documents
from reconciler.desired.yaml_writing import written
from reconciler.model.origin import Origin
from reconciler.model.resource import Resource
from reconciler.provider.registry import Registry
from tests.desired.toy import TOY, box, rope
from tests.desired.trees import BASE, host, tree_of, valid

NOWHERE = Origin("", 1, 1)


def resources(files: dict[str, str | bytes], registry: Registry) -> list[Resource]:
    desired = valid(tree_of({**BASE, **files}).load(registry)).desired
    return [resource for of_host in desired.resources.values() for resource in of_host.values()]


def test_a_resource_is_shown_in_canonical_form_under_its_origin() -> None:
    text = "# a box\n" + box(
        "a",
        "size: 1024M, glued: true, weight: ~, notes: [x, '12'], stickers: {front: hello, volume: 2KiB, fill: 20%}",
        metadata="labels: {app: web}, dependsOn: [Rope/r], movedFrom: old",
        lifecycle="onRemoval: trash, protect: all, trashTtl: null",
    )

    shown = render(resources({"hosts/hv01/a.yaml": f"{text}---\n{rope('r')}"}, TOY), TOY.kinds)

    assert (
        shown
        == """\
# hosts/hv01/a.yaml:2
apiVersion: reconciler/v1
kind: Box
metadata:
  name: a
  host: hv01
  labels:
    app: web
  dependsOn:
    - Rope/r
  movedFrom: old
lifecycle:
  trashTtl: null
  protect: all
spec:
  size: 1GiB
  weight: null
  notes:
    - x
    - "12"
  stickers:
    front: HELLO
    volume: 2KiB
    fill: 20%
  glued: true
---
# hosts/hv01/a.yaml:8
apiVersion: reconciler/v1
kind: Rope
metadata:
  name: r
  host: hv01
spec:
  metres: 1
"""
    )


def test_what_is_shown_can_be_loaded_again_and_means_the_same(registry: Registry) -> None:
    made = resources(
        {
            "hosts/hv01/a.yaml": """\
apiVersion: reconciler/v1
kind: Dataset
metadata: {name: tank/web, labels: {app: "1", on: "yes"}}
lifecycle: {onRemoval: delete, deleteSnapshots: true, mode: report, disruption: replace, ignore: [properties.quota]}
spec:
  createParents: true
  properties:
    quota: 10.5GiB
    refquota: null
    compression: lz4
    atime: off
    recordsize: 128K
    copies: 2
    mountpoint: "/data/with space"
    com.example:note: 'he said: "no" # really'
    com.example:number: 012
---
apiVersion: reconciler/v1
kind: Volume
metadata: {name: tank/vol, dependsOn: [Dataset/tank/web], movedFrom: tank/old}
spec: {size: 3GiB, blockSize: 16KiB, sparse: true, properties: {compression: "off"}}
---
apiVersion: reconciler/v1
kind: Dataset
metadata: {name: tank/clone}
spec: {origin: tank/web@golden}
---
apiVersion: reconciler/v1
kind: Pool
metadata: {name: tank}
spec: {expect: {minFree: 20%, health: ONLINE}}
""",
        },
        registry,
    )

    again = resources({"hosts/hv01/b.yaml": render(made, registry.kinds)}, registry)

    assert [replace(one, origin=NOWHERE) for one in again] == [replace(one, origin=NOWHERE) for one in made]


def test_selection_and_variables_are_done_with() -> None:
    files: dict[str, str | bytes] = {
        "hosts/hv02/host.yaml": host("hv02", "  vars: {n: '2'}\n"),
        "shared/a.yaml": box("a-$(n)", "stickers: {front: $$(n)}", metadata="hosts: {names: [hv02]}"),
    }

    (shared,) = resources(files, TOY)
    (again,) = resources({"hosts/hv02/host.yaml": host("hv02"), "hosts/hv02/a.yaml": render([shared], TOY.kinds)}, TOY)

    assert (again.key, again.fields) == (shared.key, shared.fields)


@pytest.mark.parametrize(
    "value",
    [
        "plain", "/data/web", "two words", "with: colon", "a:b", "trailing:", "#no comment", "a #b", "- dash", "yes", "off",
        "null", "~", "true", "Null", "12", "1.5", "0x1F", ".5", "1e3", "1E3", "1E", "10GiB", "20%", "14d", "", " ", " lead",
        "trail ", "'", '"', "\\", "a\nb", "a\tb", "a\r\nb", "é", "😀", "<<", "*a", "&a", "!a", "%a", "@a", "`a", "{a}", "[a]",
        "a, b", "|", ">", "?", "? a", "-", "=", "2001:db8::5/64", "---", "...", "\u00a0", None, True, False, 0, -1, 10**18, 1.5,
        [], {}, [1, ["a", {}], {"b": []}], {"a": {"b": None}},
        {"12": 1, "a: b": 2, "": 3, "null": 4},
    ],
    ids=repr,
)  # fmt: skip
def test_a_written_value_is_read_as_itself(value: YamlValue) -> None:
    (document,) = documents(written({"key": value, "list": [value]}).encode())

    assert document.value == {"key": value, "list": [value]}
    assert type(document.value["key"]) is type(value)


def test_items_begin_on_the_line_of_their_dash_and_scripts_stand_line_by_line() -> None:
    value: YamlValue = {
        "nics": [{"name": "net0", "ips": ["10.0.0.1/24"]}, {"name": "net1"}],
        "script": "#!/bin/sh\n\n  echo 'a: b' # c\n",
        "odd": "a\n\tb\n",
    }

    assert (
        written(value)
        == """\
nics:
  - name: net0
    ips:
      - "10.0.0.1/24"
  - name: net1
script: |
  #!/bin/sh

    echo 'a: b' # c
odd: "a\\n\\tb\\n"
"""
    )
