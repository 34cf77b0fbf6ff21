"""Every policy, as the tests of their common properties take it; tests/test_configs.py holds this list to the YAML files."""

from maskgit_lab.core.policies.confidence import Confidence
from maskgit_lab.core.policies.entropy import Entropy
from maskgit_lab.core.policies.entropy_bound import EntropyBound
from maskgit_lab.core.policies.guidance import ContextGuidance
from maskgit_lab.core.policies.halton import Halton
from maskgit_lab.core.policies.margin import Margin
from maskgit_lab.core.policies.moment import Moment
from maskgit_lab.core.policies.path_planning import PathPlanning
from maskgit_lab.core.policies.policy import Policy
from maskgit_lab.core.policies.random_order import RandomOrder
from maskgit_lab.core.policies.remasking import Remasking
from maskgit_lab.core.policies.time_travel import TimeTravel
from maskgit_lab.core.policies.vectors import Vectors

POLICIES: dict[str, Policy] = {
    "confidence": Confidence(),
    "halton": Halton(),
    "random": RandomOrder(),
    "margin": Margin(),
    "entropy": Entropy(),
    "eb": EntropyBound(epsilon=1.5),
    "moment": Moment(),
    "remdm": Remasking(),
    "remdm_cap": Remasking(strategy="cap", eta=0.6),
    "remdm_conf": Remasking(strategy="conf"),
    "remdm_loop": Remasking(strategy="loop", loop_from=0.3, loop_to=0.8, eta=0.5),
    "p2": PathPlanning(),
    "p2_eager": PathPlanning(eta=3.0),
    "time_travel": TimeTravel(jump=3, repeats=2),
    "vectors": Vectors(order_temperatures=[4.0, 1.0, 0.0], token_temperatures=[1.0, 0.5]),
    "context_guidance": ContextGuidance(),
}
