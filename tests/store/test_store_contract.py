"""The store that everybody uses fulfils the contract of stores."""

from pathlib import Path

from runlore import Store, open_store
from runlore.testing import StoreContract


class TestFolder(StoreContract):
    def make_store(self, folder: Path) -> Store:
        return Store(folder)


class TestFolderByUrl(StoreContract):
    def make_store(self, folder: Path) -> Store:
        return open_store(f"file://{folder}")
