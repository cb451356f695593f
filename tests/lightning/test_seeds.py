"""The state of torch's generator is on record."""

import torch

from runlore import Store


def test_the_seed_of_torch_is_on_record_and_nothing_is_drawn(store: Store) -> None:
    torch.manual_seed(11)
    state = torch.get_rng_state()
    store.start_run("a").finish()
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(1)
    store.start_run("b").finish()
    seeds = [store.run(name).environment["seeds"] for name in "ab"]
    assert [found["torch_seed"] for found in seeds] == [11, 11]
    assert seeds[0]["torch_state"] != seeds[1]["torch_state"]
