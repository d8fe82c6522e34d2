"""Claims of your own, tested by the same rule as the textbook's; ``docs/tutorial.md`` writes one."""

from .ledger import Claim

CLAIMS: tuple[Claim, ...] = ()
