"""Whatever stands in a file: an answer with places, never a traceback."""

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.desired.tree import InvalidTree, LoadedTree
from reconciler.desired.yaml_documents import YamlValue, documents
from reconciler.desired.yaml_error import YamlError
from reconciler.desired.yaml_writing import written
from reconciler.provider.registry import Registry
from tests.desired.toy import TOY
from tests.desired.trees import BASE, tree_of

TEXTS = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Cn", "Co", "Cf", "Zl", "Zp"), include_characters="\n\t"), max_size=20
)
LEAVES = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
VALUES: st.SearchStrategy[YamlValue] = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=12
)

MANIFEST = """\
apiVersion: reconciler/v1
kind: Dataset
metadata:
  name: tank/web
  labels: {app: web}
  dependsOn: [Dataset/tank]
lifecycle:
  protect: removal
  trashTtl: 14d
  ignore: [properties.atime]
spec:
  createParents: false
  origin: tank/base@golden
  properties:
    quota: 10GiB
    com.example:note: "text"
---
apiVersion: reconciler/v1
kind: Volume
metadata: {name: tank/vol}
spec: {size: 1GiB, sparse: true, blockSize: 8KiB}
"""

FIELDS = (
    ("metadata",), ("metadata", "name"), ("metadata", "host"), ("metadata", "hosts"), ("metadata", "labels"),
    ("metadata", "dependsOn"), ("metadata", "movedFrom"), ("lifecycle",), ("lifecycle", "onRemoval"), ("lifecycle", "trashTtl"),
    ("lifecycle", "deleteSnapshots"), ("lifecycle", "adopt"), ("lifecycle", "mode"), ("lifecycle", "ignore"), ("spec",),
    ("spec", "size"), ("spec", "origin"), ("spec", "properties"), ("spec", "createParents"), ("spec", "expect"),
    ("spec", "transport"), ("spec", "identity"), ("spec", "vars"), ("spec", "limits"), ("spec", "guardrails"),
    ("kind",), ("apiVersion",),
)  # fmt: skip
KINDS = ("Dataset", "Volume", "Pool", "Host", "Repository", "Zone", "Nothing")
PATHS = ("hosts/hv01/a.yaml", "shared/a.yaml", "repository.yaml", "hosts/hv01/host.yaml")


def check(loaded: LoadedTree, registry: Registry) -> None:
    """Every finding can be shown and has a place, a cause and a remedy."""
    for finding in loaded.findings if isinstance(loaded, InvalidTree) else loaded.warnings:
        assert finding.line >= 1
        assert finding.column >= 1
        assert finding.cause
        assert finding.remedy
        assert finding.cause.isprintable(), finding
        assert finding.remedy.isprintable(), finding
        assert "pydantic" not in str(finding)


@given(st.binary(max_size=200), st.sampled_from(PATHS))
@settings(max_examples=300, deadline=None)
def test_random_bytes_have_an_answer(data: bytes, path: str) -> None:
    check(tree_of({**BASE, path: data}).load(TOY), TOY)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_a_damaged_manifest_has_an_answer(registry: Registry, data: st.DataObject) -> None:
    text = MANIFEST
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 12)))
        text = text[:start] + data.draw(st.text("abc:-[]{},'\"|>#&*!%@`\n\t 0.~$()/", max_size=6)) + text[end:]

    check(tree_of({**BASE, data.draw(st.sampled_from(PATHS)): text}).load(registry), registry)


@given(st.data())
@settings(max_examples=500, deadline=None)
def test_any_value_in_any_field_has_an_answer(registry: Registry, data: st.DataObject) -> None:
    document: dict[str, YamlValue] = {
        "apiVersion": "reconciler/v1",
        "kind": data.draw(st.sampled_from(KINDS)),
        "metadata": {"name": "tank/web"},
    }
    for path in data.draw(st.lists(st.sampled_from(FIELDS), min_size=1, max_size=4)):
        place = document
        for part in path[:-1]:
            inner = place.setdefault(part, {})
            if not isinstance(inner, dict):
                inner = place[part] = {}
            place = inner
        place[path[-1]] = data.draw(VALUES)

    check(tree_of({**BASE, data.draw(st.sampled_from(PATHS)): written(document)}).load(registry), registry)


@given(st.dictionaries(TEXTS, VALUES, max_size=4))
@settings(max_examples=500, deadline=None)
def test_a_written_document_is_read_as_itself(value: dict[str, YamlValue]) -> None:
    (document,) = documents(written(value).encode())

    assert document.value == value


@given(st.text(max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_is_read_alike_by_both_parsers(text: str) -> None:
    data = text.encode("utf-8", "surrogatepass")

    assert _outcome(data, native=True) == _outcome(data, native=False)


def _outcome(data: bytes, *, native: bool) -> object:
    try:
        return documents(data, native=native)
    except YamlError as error:
        return error.line, error.column, error.cause
