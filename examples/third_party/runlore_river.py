"""runlore for river, in a file of your own: `for report in iter_progressive_val_score(dataset, model, metric): …`."""

from river import evaluate, metrics

from runlore import FitSession
from runlore.guest.options import RunOptions


def iter_progressive_val_score(dataset, model, metric, step=1, options=None, **kwargs):
    """Yield what river's function of this name yields, and record it; the dataset is read as it would be without."""
    request = (options or RunOptions()).request()
    session = FitSession.begin("river", request, params=lambda: {"model": repr(model), "step": step})
    try:
        reports = evaluate.iter_progressive_val_score(dataset, model, metric, step=step, **kwargs)
        while True:
            session.resume()
            try:
                report = next(reports, None)
                if report is None:
                    break
                told = {name: item.get() for name, item in report.items() if isinstance(item, metrics.base.Metric)}
                session.metrics(told, step=report["Step"])
            finally:
                session.pause(returned=False)
            yield report
    except BaseException as error:
        session.end(error)
        raise
    else:
        session.end()


def progressive_val_score(dataset, model, metric, **settings):
    """Return the metric, as river's function of this name does, and record it by step."""
    for _ in iter_progressive_val_score(dataset, model, metric, **settings):
        pass
    return metric
