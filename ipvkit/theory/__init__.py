"""What the kernel will do and why, without a kernel: packet walks by rules that cite their source.

The law: theory never imports lab, machine or agent, and they never import theory; where they meet is
``ipvkit.comparison``. Every verdict names the rule that decided, and what no rule covers is "not modelled".
"""

from ipvkit.theory.arrival import (
    Receivers,
    predict_broadcast,
    predict_delivery,
    predict_hooks,
    predict_macs,
    predict_multicast,
)
from ipvkit.theory.build import Refusal
from ipvkit.theory.judge import Verdict
from ipvkit.theory.prediction import Prediction, explain, predict
from ipvkit.theory.rule import Rule
from ipvkit.theory.rules import RULES, TABLES
from ipvkit.theory.walk import Step, Walk

__all__ = [
    "RULES", "TABLES", "Prediction", "Receivers", "Refusal", "Rule", "Step", "Verdict", "Walk", "explain", "predict",
    "predict_broadcast", "predict_delivery", "predict_hooks", "predict_macs", "predict_multicast",
]
