"""The contract of an integration: what every framework's record must show, whatever the framework."""

from runlore.testing.guest_statements import GuestStatements
from runlore.testing.record_statements import RecordStatements
from runlore.testing.trainer_statements import TrainerStatements
from runlore.testing.truth_statements import TruthStatements
from runlore.testing.way_statements import WayStatements


class IntegrationContract(WayStatements, TrainerStatements, TruthStatements, RecordStatements, GuestStatements):
    """Subclass it in a file of tests, and say how your framework trains; pytest does the rest.

    `train` trains a tiny seeded model in well under a second and returns its weights and whatever else users look at
    afterwards, comparable with `==`. Let it draw random numbers while it trains. Each of `steps` steps gives the metric
    `metric` a point, at the steps `first_step`, `first_step` + 1, …; `param` is a hyperparameter with its value, by its
    recorded name. `hows` are the ways of recording: ("callback", "autolog") by default. `checkpoint` names the file or
    folder in `Training.folder` to resume from; leave it out, and `has_checkpoints` false, where the framework writes
    none. `has_children` says that a training makes runs below its own, as a search does of its trials. `warm` names
    modules that take long to import, such as the framework: trainings in processes of their own are then forked from
    one that has imported them (and never runlore), so that they start in milliseconds. One of each kind still starts
    cold. `follower` holds the variables that make a process a follower of a distributed training;
    None where the framework itself has to tell.

    Further methods are optional; each lets statements run that are skipped without it, and tells so. `make` and `fit`
    instead of `train`: one trainer that is fitted twice, looked at and let go. `iterate`: a framework that trains by a
    generator. `saved_at`: the step of each checkpoint. `evaluate`: results on several sets of data.
    """
