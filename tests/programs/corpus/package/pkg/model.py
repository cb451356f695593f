import logging

logging.basicConfig(level=logging.INFO, filename="train.log", format="%(levelname)s:%(name)s:%(lineno)d:%(message)s")
logging.getLogger().addHandler(logging.StreamHandler())
log = logging.getLogger(__name__)


class Model:
    def fit(self):
        for i in range(2):
            log.info("iteration %d", i)
        log.warning("not converged")
