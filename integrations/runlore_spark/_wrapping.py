"""The functions of pyspark.ml that are wrapped: those that fit, predict and evaluate, threads, writers and readers.

Spark has no callbacks. All estimators, transformers and evaluators have these functions of their base classes.
"""

import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from pyspark.ml import Estimator, Transformer, classification, tuning, util
from pyspark.ml.evaluation import Evaluator

from runlore import guest
from runlore.guest.wrapping import OnDemand, Wrappers, arguments, as_written
from runlore_spark import _checkpoints, _evaluation, _framework
from runlore_spark._calls import Unrecorded, calls
from runlore_spark._params import makes_a_run
from runlore_spark._search import Search, is_search
from runlore_spark._training import Training

THREADS = "inheritable_thread_target"  # the function that Spark's own modules give their tasks to


class Wrapped(OnDemand, guest.Part):
    """The wrapped functions of this process, as long as autolog is on."""

    inherited = True

    def __init__(self) -> None:
        super().__init__(_wrap)


def wrapped() -> Wrapped:
    """Return the wrappers of this process."""
    return guest.part(Wrapped)


def _wrap(wrappers: Wrappers) -> None:
    _framework.check_version()
    wrappers.wrap(Estimator, "fit", _fit)
    for module in (tuning, classification):
        if hasattr(module, THREADS):
            wrappers.wrap(module, THREADS, _in_threads)
        else:
            guest.warn(f"{module.__name__} starts its threads in another way: fits in them make runs of their own")
    wrappers.follow(Transformer, "transform", _transformed, by_all=True)
    wrappers.follow(Evaluator, "evaluate", _evaluated, by_all=True)
    wrappers.follow(util.JavaMLWriter, "__init__", _made_writer, by_all=True)
    for writer in (util.MLWriter, util.JavaMLWriter):
        wrappers.wrap(writer, "save", _save)
    for reader in _subclasses(util.MLReader):
        if "load" in vars(reader):
            wrappers.follow(reader, "load", _loaded, by_all=True)


def _subclasses(cls: type) -> Iterator[type]:
    subclass: type
    for subclass in type.__subclasses__(cls):
        yield subclass
        yield from _subclasses(subclass)


@guest.unseen
def _fit(fit: Callable[..., Any], estimator: Any, *args: Any, **kwargs: Any) -> Any:
    """Call `fit`; only here its exception is seen."""
    found = arguments(fit, estimator, *args, **kwargs)
    given = found.get("params") or {}
    maps = given if isinstance(given, list | tuple) else None
    given = given if isinstance(given, Mapping) else {}
    training, block = _begun(estimator, found.get("dataset"), given, is_tree=maps is not None)
    search = _search_of(estimator, given, training)

    outer = next((call for call in calls if isinstance(call, Training)), None)

    @guest.unseen
    def told(*args: Any, **kwargs: Any) -> Any:
        with block:
            result = fit(*args, **kwargs)
        for call in (search, training):
            call.returned(result)
        if outer is not None and isinstance(training, Unrecorded):
            outer.take(result)
        return result

    return calls.during(training, calls.during, search, told, estimator, *args, **kwargs)


def _begun(
    estimator: Any, dataset: Any, given: Mapping[Any, Any], *, is_tree: bool
) -> tuple[Training | Unrecorded, AbstractContextManager[None]]:
    """Begin to record a fit, and return what records it with a block for the call."""
    if guest.in_fit():
        return Unrecorded(), nullcontext()
    training = Training.begin(estimator, dataset, given) if makes_a_run(estimator, given) else None
    if training is None:
        return Unrecorded(), guest.unrecorded()
    return training, training.session.children() if is_tree else nullcontext()


def _search_of(estimator: Any, given: Mapping[Any, Any], training: Training | Unrecorded) -> Search | Unrecorded:
    """Return what records the candidates of a search, unless it is itself the fit of a candidate, in a thread."""
    session = guest.current()
    if not session or not is_search(estimator) or not (isinstance(training, Training) or calls.innermost):
        return Unrecorded()
    return Search(session, estimator, given)


@guest.unseen
def _in_threads(inheritable: Callable[..., Any], target: Any) -> Any:
    """Let tasks that Spark gives to threads be parts of the fit that gives them, and tell their results."""
    carried, token = inheritable(target), guest.token()
    search = calls.innermost
    if token is None:
        return carried

    def carry(task: Callable[[], Any]) -> Any:
        noted = search.noting(task) if isinstance(search, Search) else task

        @guest.unseen
        def within() -> Any:
            with guest.frameless(), guest.within(token):
                return noted()

        return carried(within)

    return carry


def _transformed(args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> None:
    dataset = args[1] if len(args) > 1 else kwargs.get("dataset")
    _evaluation.note_prediction(args[0], dataset, result, as_written(0, "dataset"))


def _evaluated(args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> None:
    found = {**dict(zip(("evaluator", "dataset", "params"), args, strict=False)), **kwargs}
    _evaluation.record_evaluation(found["evaluator"], found.get("params") or {}, found["dataset"], result)


def _made_writer(args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> None:
    writer, model = args[0], args[1] if len(args) > 1 else kwargs.get("instance")
    guest.part(_checkpoints.Writers).models.set(writer, weakref.ref(model))


@guest.unseen
def _save(save: Callable[..., Any], writer: Any, path: Any, *args: Any, **kwargs: Any) -> Any:
    """Call `save`; what a writer saves of the parts of a model is a part of the same folder."""
    is_inner = calls.innermost is not None
    call = Unrecorded() if is_inner else _checkpoints.Saving(writer, path)
    return calls.during(call, save, writer, path, *args, **kwargs)


def _loaded(args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> None:
    _checkpoints.note_read(result, args[1] if len(args) > 1 else kwargs.get("path"))
