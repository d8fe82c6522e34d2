import torch
from scipy import stats

from pipeline.networks.seeds import counter_uniform, derive, stream_keys


def draws(seeds: list[int], step: int, rows: int = 200, columns: int = 300) -> torch.Tensor:
    return counter_uniform(stream_keys(seeds, "rrelu", 0), torch.tensor(step), rows, columns)


def test_purposes_of_a_seed_have_nothing_in_common() -> None:
    purposes = [
        derive(seed, *purpose) for seed in range(50) for purpose in (("weights", 0), ("weights", 1), ("order", 0))
    ]
    assert len(set(purposes)) == len(purposes)


def test_counter_draws_are_uniform() -> None:
    for step in range(5):
        u = draws([step], step).flatten().double().numpy()
        assert stats.kstest(u, "uniform").pvalue > 1e-3
        assert u.min() >= 0
        assert u.max() < 1


def test_counter_draws_of_neighbouring_steps_places_and_seeds_are_uncorrelated() -> None:
    a, b = draws([0, 1], step=7), draws([0, 1], step=8)
    n = a[0].numel()
    for x, y in ((a[0], a[1]), (a[0], b[0]), (a[0][:, 1:], a[0][:, :-1]), (a[0][1:], a[0][:-1])):
        correlation = torch.corrcoef(torch.stack([x.flatten(), y.flatten()]))[0, 1]
        assert abs(correlation) < 4 / n**0.5


def test_a_draw_depends_on_seed_and_step_alone() -> None:
    assert torch.equal(draws([3, 9, 4], step=2)[1], draws([9], step=2)[0])
