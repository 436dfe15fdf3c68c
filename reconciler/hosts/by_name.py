"""Objects by name, where a host lets several have the same one (SmartOS: the alias of a guest)."""

from collections.abc import Iterable
from dataclasses import replace

from reconciler.model.key import ObjectName
from reconciler.model.observed import Observed


def by_name(found: Iterable[Observed]) -> dict[ObjectName, Observed]:
    """The objects by name. Of several with one name the one whose mark says that name has it; if that is not exactly one, none.

    The others are named by name and identity (`web1@7c4e...`) and tell which name they share.
    """
    objects: dict[ObjectName, Observed] = {}
    sharing: dict[ObjectName, list[Observed]] = {}
    for observed in found:
        if observed.name in sharing:
            sharing[observed.name].append(observed)
        elif (other := objects.pop(observed.name, None)) is not None:
            sharing[observed.name] = [other, observed]
        else:
            objects[observed.name] = observed
    for name, rivals in sharing.items():
        marked = [one for one in rivals if one.mark is not None and one.mark.name == name]
        for one in rivals:
            if marked == [one]:
                objects[name] = one
            else:
                apart = name._replace(name=f"{name.name}@{one.identity}")
                objects[apart] = replace(one, name=apart, shares_name=name)
    return objects
