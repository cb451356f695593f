"""The contract of an integration: what every framework's record must show, whatever the framework."""

from runlore.testing.guest_statements import GuestStatements
from runlore.testing.record_statements import RecordStatements


class IntegrationContract(GuestStatements, RecordStatements):
    """Subclass it in a file of tests, and say how your framework trains; pytest does the rest.

    `train` trains a tiny seeded model in well under a second and returns its weights, comparable with `==`. Each of
    `steps` steps gives the metric `metric` a point, at the steps `first_step`, `first_step` + 1, …; `param` is a
    hyperparameter with its value, by its recorded name. `checkpoint` names the file or folder in `Training.folder` to
    resume from; leave it out, and `has_checkpoints` false, where the framework writes none. `warm` names modules that
    take long to import, such as the framework: trainings in processes of their own are then forked from one that has
    imported them (and never runlore), so that they start in milliseconds. One of each kind still starts cold.
    """
