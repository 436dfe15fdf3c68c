"""The plan as `reconciler.plan/v1`: other programs read it, so members are added and never renamed."""

import json
from dataclasses import replace
from datetime import timedelta, timezone
from typing import Any

from reconciler.model.observed import Removal, Unreadable
from reconciler.model.plan import PlanSource
from reconciler.planning.render_json import plan_digest, plan_document, timestamp
from tests.planning.world import DELETE, GIB, HOST, KIB, NOW, ORPHAN, dataset, observed, resource, row, standing, tree, view

MADE = dataset("tank/made", quota=GIB, compression=None, line=3)
CHANGED = dataset("tank/changed", quota=None, line=4)
GONE = dataset("tank/gone", replace(DELETE, delete_snapshots=True))
BEFORE, KEPT = dataset("tank/kept", quota=GIB), dataset("tank/kept", line=5)
STRANGER = dataset("tank/stranger", line=6)
MISSED = resource("Pool", "pond", line=7, **{"expect.health": "ONLINE"})
MARKS = [
    "-o",
    "dev.reconciler:host=0000abcd",
    "-o",
    "dev.reconciler:key=Dataset/tank/made",
    "-o",
    "dev.reconciler:on-removal=trash",
    "-o",
    "dev.reconciler:owner=default",
]


def document() -> dict[str, Any]:
    there = [
        standing(CHANGED, fields={"properties.quota": GIB}),
        standing(GONE, removal=Removal(5 * KIB, ("tank/gone@x",))),
        standing(KEPT, fields={"properties.quota": GIB}),
        observed("tank/stranger"),
        observed("tank/nobodys"),
    ]
    host = view([MADE, CHANGED, KEPT, STRANGER, MISSED], there, [row(GONE), row(BEFORE)])
    return plan_document(tree([host], known=["hv00", HOST]))


def test_the_whole_document_is_as_the_contract_says() -> None:
    found = document()

    (host,) = found.pop("hosts")
    assert found.pop("digest").startswith("sha256:")
    assert found == {
        "format": "reconciler.plan/v1",
        "createdAt": "2026-01-02T03:04:05.000Z",
        "source": {"path": "desired-state", "revision": "0123456789abcdef0123456789abcdef01234567", "whole": True},
        "forgotten": ["hv00"],
        "summary": {
            "create": 1,
            "update": 1,
            "replace": 0,
            "trash": 0,
            "delete": 1,
            "restore": 0,
            "adopt": 0,
            "forget": 0,
            "blocked": 1,
        },
    }
    actions = {action.pop("key"): action for action in host.pop("actions")}
    ids = {key: action.pop("id") for key, action in actions.items()}
    assert all(len(name) == 16 for name in ids.values())
    assert host == {
        "host": "hv01",
        "observedAt": "2026-01-02T03:04:05.000Z",
        "complete": True,
        "blocked": [
            {
                "key": "hv01/Dataset/tank/stranger",
                "verb": "update",
                "reason": "notOurs",
                "cause": "Dataset/tank/stranger exists on the host and was not made by this repository",
                "remedy": "take it over as it is with lifecycle.adopt: ifEqual (`reconciler adopt` writes such a manifest), "
                "or choose another name",
                "origin": {"path": "hosts/hv01/storage.yaml", "line": 6, "column": 1},
            }
        ],
        "released": [{"key": "hv01/Dataset/tank/kept", "field": "properties.quota", "value": GIB}],
        "misses": [
            {
                "key": "hv01/Pool/pond",
                "field": "metadata.name",
                "cause": "it is not there",
                "origin": {"path": "hosts/hv01/storage.yaml", "line": 7, "column": 1},
            }
        ],
        "pendingRestart": [],
        "unmanaged": 2,
        "unreadable": [],
        "holds": [],
    }
    assert actions == {
        "hv01/Dataset/tank/gone": {
            "verb": "delete",
            "why": "its manifest was removed, and onRemoval is delete",
            "reversible": False,
            "reportOnly": False,
            "fields": [],
            "commands": [
                {"argv": ["zfs", "destroy", "tank/gone@x"], "stdin": None, "changes": True},
                {"argv": ["zfs", "destroy", "tank/gone"], "stdin": None, "changes": True},
            ],
            "after": [],
            "guests": [],
            "atRisk": {"bytes": 5 * KIB, "snapshots": 1},
        },
        "hv01/Dataset/tank/changed": {
            "verb": "update",
            "effect": "inPlace",
            "why": "it differs from its manifest (what was applied last is not recorded)",
            "reversible": True,
            "reportOnly": False,
            "origin": {"path": "hosts/hv01/storage.yaml", "line": 4, "column": 1},
            "fields": [{"name": "properties.quota", "before": GIB, "after": None, "effect": "inPlace"}],
            "commands": [{"argv": ["zfs", "set", "quota=none", "tank/changed"], "stdin": None, "changes": True}],
            "after": [],
            "guests": [],
            "atRisk": {"bytes": 0, "snapshots": 0},
        },
        "hv01/Dataset/tank/made": {
            "verb": "create",
            "effect": "inPlace",
            "why": "it is not there",
            "reversible": True,
            "reportOnly": False,
            "origin": {"path": "hosts/hv01/storage.yaml", "line": 3, "column": 1},
            "fields": [{"name": "properties.quota", "before": None, "after": GIB, "effect": "inPlace"}],
            "commands": [
                {"argv": ["zfs", "create", *MARKS, "-o", "quota=1073741824", "tank/made"], "stdin": None, "changes": True}
            ],
            "after": [],
            "guests": [],
            "atRisk": {"bytes": 0, "snapshots": 0},
        },
    }


def test_the_document_is_plain_json() -> None:
    found = document()

    assert json.loads(json.dumps(found)) == found


def test_an_action_names_those_that_it_waits_for_by_id() -> None:
    found = plan_document(tree([view([dataset("tank/a"), dataset("tank/a/b")])]))

    first, second = found["hosts"][0]["actions"]
    assert second["after"] == [first["id"]]


def test_forgetting_has_no_effect_member() -> None:
    found = plan_document(tree([view([], [standing(dataset("tank/a", ORPHAN))])]))

    assert "effect" not in found["hosts"][0]["actions"][0]


def test_what_could_not_be_read_is_told_with_its_remedy() -> None:
    trouble = Unreadable("zfs", ("Dataset",), "`zfs get` exited with 1", "look at the pool")

    (host,) = plan_document(tree([view(unreadable=[trouble])]))["hosts"]

    assert host["complete"] is False
    assert host["unreadable"] == [{"provider": "zfs", "cause": "`zfs get` exited with 1", "remedy": "look at the pool"}]


def test_the_wrong_machine_was_not_looked_at_completely() -> None:
    (host,) = plan_document(tree([view(wrong_host="another machine")]))["hosts"]

    assert host["complete"] is False


def test_a_repository_is_named_with_its_ref() -> None:
    source = PlanSource("infra", "f" * 40, repository="ssh://git@example.org/infra.git", ref="main")

    assert plan_document(tree([view()], source=source))["source"] == {
        "path": "infra",
        "revision": "f" * 40,
        "whole": True,
        "repository": "ssh://git@example.org/infra.git",
        "ref": "main",
    }


def test_the_digest_in_the_document_is_the_plans() -> None:
    plan = tree([view([MADE])])

    assert plan_document(plan)["digest"] == plan_digest(plan)


def test_times_are_in_utc_to_the_millisecond() -> None:
    assert timestamp(NOW.astimezone(timezone(timedelta(hours=2)))) == "2026-01-02T03:04:05.000Z"
