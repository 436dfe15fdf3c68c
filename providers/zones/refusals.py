"""What zones and images can't have on SmartOS, told before anything runs."""

from providers.tools import guest_pools, vmadm_fields
from providers.zones import images
from reconciler.model.errors import InvalidValue
from reconciler.model.value import Value
from reconciler.provider.contract import Refusal


def refusal(kind: str, field: str, value: Value, pools: frozenset[str] | None) -> Refusal | None:
    """Why SmartOS can't have a stated field at that value; None when it can."""
    try:
        if kind == "Image":
            images.check(field, value)
        elif field == "pool" and value is None:
            guest_pools.check_pool(pools)
        else:
            vmadm_fields.check(kind, field, value)
    except InvalidValue as invalid:
        return Refusal(invalid.cause, invalid.remedy)
    return None
