"""The stores, runs and lists of runs that users read."""

from typing import TYPE_CHECKING

from runlore._lazy import lazy

if TYPE_CHECKING:
    from runlore.store.models import Model
    from runlore.store.runs import RecordedRun, RunList
    from runlore.store.store import Store, open_store
    from runlore.store.versions import ModelChange, ModelVersion

__getattr__, __dir__ = lazy(
    __name__,
    {
        "Model": "models",
        "ModelChange": "versions",
        "ModelVersion": "versions",
        "RecordedRun": "runs",
        "RunList": "runs",
        "Store": "store",
        "open_store": "store",
    },
)

__all__ = ["Model", "ModelChange", "ModelVersion", "RecordedRun", "RunList", "Store", "open_store"]
